// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import org.fovea.backend.cpu.kernels.AttentionRowKernels;

/** {@link AttentionRowKernels} element by element. */
final class ScalarAttentionRowKernels implements AttentionRowKernels {
    @Override
    public void rowDots(
            float[] x,
            int xOffset,
            int xStride,
            float[] y,
            int yOffset,
            int yStride,
            int rows,
            int columns,
            float[] dots,
            int dotsOffset,
            float[] scratch,
            int scratchOffset) {
        for (int i = 0; i < rows; i++) {
            dots[dotsOffset + i] = dot(x, xOffset + i * xStride, y, yOffset + i * yStride, columns);
        }
    }

    private static float dot(float[] x, int xi, float[] y, int yi, int columns) {
        float sum = 0;
        for (int j = 0; j < columns; j++) {
            sum += x[xi + j] * y[yi + j];
        }
        return sum;
    }

    @Override
    public void scaleRows(
            float[] source,
            int sourceOffset,
            int sourceStride,
            float[] factors,
            int factorsOffset,
            float[] target,
            int targetOffset,
            int targetStride,
            int rows,
            int columns) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                target[targetOffset + i * targetStride + j] =
                        source[sourceOffset + i * sourceStride + j] * factors[factorsOffset + i];
            }
        }
    }

    @Override
    public void addRows(
            float factor,
            float[] source,
            int sourceOffset,
            int sourceStride,
            float[] target,
            int targetOffset,
            int targetStride,
            int rows,
            int columns) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                target[targetOffset + i * targetStride + j] += source[sourceOffset + i * sourceStride + j] * factor;
            }
        }
    }

    @Override
    public boolean allFinite(float[] x, int offset, int stride, int rows, int columns) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j++) {
                if (!Float.isFinite(x[offset + i * stride + j])) {
                    return false;
                }
            }
        }
        return true;
    }

    @Override
    public void weightedSum(
            float[] weights,
            int weightsOffset,
            float[] values,
            int valuesOffset,
            int valueStride,
            int count,
            int valueDim,
            float[] output,
            int outputOffset) {
        for (int j = 0; j < count; j++) {
            for (int c = 0; c < valueDim; c++) {
                output[outputOffset + c] += weights[weightsOffset + j] * values[valuesOffset + j * valueStride + c];
            }
        }
    }

    @Override
    public float softmaxNumerators(
            float[] scores, int offset, int count, float factor, float[] scratch, int scratchOffset) {
        float maximum = Float.NEGATIVE_INFINITY;
        for (int j = 0; j < count; j++) {
            scores[offset + j] *= factor;
            maximum = scores[offset + j] > maximum ? scores[offset + j] : maximum;
        }
        float sum = 0;
        for (int j = 0; j < count; j++) {
            scores[offset + j] = ScalarAttentionKernels.exp(scores[offset + j] - maximum);
            sum += scores[offset + j];
        }
        return sum;
    }
}
