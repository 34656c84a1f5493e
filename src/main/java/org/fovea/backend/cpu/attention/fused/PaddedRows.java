// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.AttentionKernels;

/**
 * Rows that a kernel reads as whole vectors: in place if they are that, else a copy filled up with zeros. One per thread
 * and purpose, set anew for each tile.
 */
final class PaddedRows {
    float[] floats = {};
    int offset;
    int stride;
    private float[] copy = {};
    private int copyOffset;

    /** Says where copies go. */
    void copyTo(float[] array, int arrayOffset) {
        copy = array;
        copyOffset = arrayOffset;
    }

    void set(float[] source, int sourceOffset, int sourceStride, int rows, int dim, int paddedDim) {
        if (dim == paddedDim) {
            floats = source;
            offset = sourceOffset;
            stride = sourceStride;
            return;
        }
        floats = copy;
        offset = copyOffset;
        stride = paddedDim;
        for (int r = 0; r < rows; r++) {
            int target = copyOffset + r * paddedDim;
            System.arraycopy(source, sourceOffset + r * sourceStride, copy, target, dim);
            Arrays.fill(copy, target + dim, target + paddedDim, 0);
        }
    }

    boolean allFinite(AttentionKernels kernels, int rows, int dim) {
        return kernels.rows().allFinite(floats, offset, stride, rows, dim);
    }
}
