// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

/** The inner loops of attention on rows as they lie: of queries, keys, values and outputs, and of the scores of one decoded query. */
public interface AttentionRowKernels {

    /**
     * Dot products of the rows of two [rows, columns] matrices.
     *
     * @param scratch room for a vector from {@code scratchOffset} on
     */
    void rowDots(
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
            int scratchOffset);

    /** {@code target[r][j] = factors[r] source[r][j]}; source and target may be the same. */
    void scaleRows(
            float[] source,
            int sourceOffset,
            int sourceStride,
            float[] factors,
            int factorsOffset,
            float[] target,
            int targetOffset,
            int targetStride,
            int rows,
            int columns);

    /** {@code target[r][j] += factor source[r][j]}. */
    void addRows(
            float factor,
            float[] source,
            int sourceOffset,
            int sourceStride,
            float[] target,
            int targetOffset,
            int targetStride,
            int rows,
            int columns);

    /** Whether no element of a [rows, columns] matrix is NaN or infinite. */
    boolean allFinite(float[] x, int offset, int stride, int rows, int columns);

    /** {@code output += sum over j of weights[j] values[j]}. */
    void weightedSum(
            float[] weights,
            int weightsOffset,
            float[] values,
            int valuesOffset,
            int valueStride,
            int count,
            int valueDim,
            float[] output,
            int outputOffset);

    /**
     * Replaces scores by {@code e^(factor (score - maximum))}, the maximum being that of {@code factor score}. Up to a
     * vector beyond the last score is overwritten.
     *
     * @param scratch room for three vectors from {@code scratchOffset} on
     * @return their sum
     */
    float softmaxNumerators(float[] scores, int offset, int count, float factor, float[] scratch, int scratchOffset);
}
