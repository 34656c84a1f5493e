// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.memory.DeviceArray;

/**
 * One step of every sequence of a batch, each at a position of its own, see {@link TransformerBlock#decode}. It lies on the device,
 * so that one captured step serves every position.
 *
 * @param positions I32 [batch] of the new elements, one more than at the step before
 * @param counts I32 [batch]: how many of the latest positions, the new one included, belong to the present episode, at least 1;
 *     of more than a cache holds, it shows all
 * @param from the first row whose keys and values the caches receive
 * @param to one after the last of them
 */
public record DecodingStep(DeviceArray positions, DeviceArray counts, int from, int to) {

    /** A step of all of {@code batch} rows. */
    public DecodingStep(DeviceArray positions, DeviceArray counts) {
        this(positions, counts, 0, Math.toIntExact(positions.length()));
    }
}
