// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import java.util.Arrays;
import org.fovea.backend.cpu.memory.CpuArray;

/** Cosines and sines of rotary position encoding, kept for the small positions that come again and again. */
final class RotaryTable {
    private static final int MAX_KEPT = 1 << 12;

    private final int headDim;
    private final float base;
    private final double[] frequencies;
    // Row by row [cosines of headDim / 2, sines of headDim / 2]; replaced by a longer one as positions come up.
    private volatile float[] rows = {};

    RotaryTable(int headDim, float base) {
        this.headDim = headDim;
        this.base = base;
        frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(base, -2.0 * i / headDim);
        }
    }

    boolean fits(int otherHeadDim, float otherBase) {
        return headDim == otherHeadDim && base == otherBase;
    }

    /** Turns the pairs of x [rows, heads, headDim] by the angles of the rows' positions, forward or, with sign -1, back. */
    void turn(int rows, int heads, int sign, CpuArray x, CpuArray positions, CpuArray y) {
        for (int r = 0; r < rows; r++) {
            int position = positions.ints[positions.offset + r];
            boolean kept = position >= 0 && position < MAX_KEPT;
            float[] angles = kept ? upTo(position) : computed(position);
            int row = kept ? position * headDim : 0;
            for (int h = 0; h < heads; h++) {
                int at = (r * heads + h) * headDim;
                turn(headDim / 2, sign, angles, row, x.floats, x.offset + at, y.floats, y.offset + at);
            }
        }
    }

    private static void turn(int half, int sign, float[] angles, int row, float[] x, int xo, float[] y, int yo) {
        for (int i = 0; i < half; i++) {
            float cos = angles[row + i];
            float sin = sign * angles[row + half + i];
            float first = x[xo + i];
            float second = x[xo + half + i];
            y[yo + i] = first * cos - second * sin;
            y[yo + half + i] = first * sin + second * cos;
        }
    }

    private float[] computed(int position) {
        float[] angles = new float[headDim];
        compute(position, angles, 0);
        return angles;
    }

    /** The table, long enough for a position that it keeps. */
    private float[] upTo(int position) {
        float[] known = rows;
        return (position + 1) * headDim <= known.length
                ? known
                : extend(known, Math.min(MAX_KEPT, Math.max(64, 2 * (position + 1))));
    }

    private float[] extend(float[] known, int positions) {
        float[] longer = Arrays.copyOf(known, positions * headDim);
        for (int position = known.length / headDim; position < positions; position++) {
            compute(position, longer, position * headDim);
        }
        rows = longer;
        return longer;
    }

    private void compute(int position, float[] target, int offset) {
        int half = headDim / 2;
        for (int i = 0; i < half; i++) {
            double angle = position * frequencies[i];
            target[offset + i] = (float) Math.cos(angle);
            target[offset + half + i] = (float) Math.sin(angle);
        }
    }
}
