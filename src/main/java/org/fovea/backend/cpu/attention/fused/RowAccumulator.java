// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.cpu.memory.CpuArray;

/** Where sums for the rows of a tile are made: in their place in a result, or in scratch. One per thread and purpose. */
final class RowAccumulator {
    float[] floats = {};
    int offset;
    int stride;
    boolean inPlace;
    private int scratch;

    /** Says where in a thread's scratch sums are made that are not made in place. */
    void scratchAt(int scratchOffset) {
        scratch = scratchOffset;
    }

    void open(float[] scratchArray, float[] result, int row, int resultStride, boolean inItsPlace, int paddedDim) {
        inPlace = inItsPlace;
        floats = inPlace ? result : scratchArray;
        offset = inPlace ? row : scratch;
        stride = inPlace ? resultStride : paddedDim;
    }

    void clear(int from, int to, int dim) {
        for (int i = from; i < to; i++) {
            int row = offset + i * stride;
            Arrays.fill(floats, row, row + dim, 0);
        }
    }

    /** Brings sums that were not made in place to their result. */
    void store(CpuArray result, int row, int resultStride, int rows, int dim) {
        for (int i = 0; i < rows && !inPlace; i++) {
            System.arraycopy(floats, offset + i * stride, result.floats, row + i * resultStride, dim);
        }
    }
}
