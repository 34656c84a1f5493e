// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Where in a table rows go, see {@link MathOps#placeRows}: row i goes to row {@code unit(i) * stride + place(i)}, with {@code
 * place(i) = indices[i] + shift}. A row whose place is not within {@code [0, extent)} is left out. Indices lie on the device, so
 * that one captured step serves every place.
 *
 * @param units I32 [rows]; null for {@code unit(i) = i}. A row whose unit is negative is left out
 * @param stride rows of the table from unit to unit
 * @param indices I32 [rows]
 * @param wraps whether places are modulo the extent instead
 */
public record RowPlaces(
        @Nullable DeviceArray units, int stride, DeviceArray indices, int shift, int extent, boolean wraps) {

    /** Row i goes to row {@code indices[i]} of a table of {@code extent} rows. */
    public static RowPlaces in(DeviceArray indices, int extent) {
        return new RowPlaces(null, 0, indices, 0, extent, false);
    }

    /** Row i goes to row {@code indices[i] + shift} of the i-th of tables of {@code extent} rows, one behind the other. */
    public static RowPlaces inEach(DeviceArray indices, int shift, int extent) {
        return new RowPlaces(null, extent, indices, shift, extent, false);
    }

    /** Row i goes to row {@code indices[i] mod extent} of the i-th of rings of {@code extent} rows. */
    public static RowPlaces inRings(DeviceArray indices, int extent) {
        return new RowPlaces(null, extent, indices, 0, extent, true);
    }
}
