// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Rotary position encoding (Su et al. 2021, arXiv:2104.09864): queries and keys are turned by angles proportional to
 * their positions, so that their similarity depends on the distance between them alone.
 *
 * @param base of the wavelengths
 */
public record RotaryEncoding(float base) {

    /** The base of the literature, 10,000. */
    public static final RotaryEncoding STANDARD = new RotaryEncoding(10_000);

    /** Turns each head of {@code x} [..., heads headDim] by the I32 position of its row. */
    public Tensor apply(Tensor x, Tensor positions, int heads) {
        return x.rotary(positions, heads, base);
    }

    /** {@link #apply} to queries and keys. */
    List<Tensor> apply(Tensor queries, Tensor queryPositions, Tensor keys, Tensor keyPositions, int heads) {
        return Tensor.rotary(queries, queryPositions, keys, keyPositions, heads, base);
    }

    /** I32 [batch, count] of {@code first, first + 1, ...} in each row. */
    public static Tensor positions(Tape tape, int batch, int first, int count) {
        DeviceArray row = tape.allocate(DType.I32, count);
        tape.backend().math().iota(first, 1, row);
        return tape.constant(row, 1, count).broadcastTo(batch, count);
    }
}
