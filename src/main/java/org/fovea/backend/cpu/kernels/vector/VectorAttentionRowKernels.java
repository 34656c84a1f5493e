// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.AttentionRowKernels;

/** {@link AttentionRowKernels} on vectors, in locals of one method as in {@link VectorAttentionKernels}. */
final class VectorAttentionRowKernels implements AttentionRowKernels {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();

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
        int whole = SPECIES.loopBound(columns);
        for (int i = 0; i < rows; i++) {
            int xi = xOffset + i * xStride;
            int yi = yOffset + i * yStride;
            float dot = 0;
            if (whole > 0) {
                lanewiseDot(x, xi, y, yi, whole, scratch, scratchOffset);
                dot = sumOfLanes(scratch, scratchOffset);
            }
            for (int j = whole; j < columns; j++) {
                dot += x[xi + j] * y[yi + j];
            }
            dots[dotsOffset + i] = dot;
        }
    }

    private static void lanewiseDot(float[] x, int xi, float[] y, int yi, int columns, float[] sums, int sumsOffset) {
        FloatVector sum = FloatVector.fromArray(SPECIES, x, xi).mul(FloatVector.fromArray(SPECIES, y, yi));
        for (int j = LANES; j < columns; j += LANES) {
            sum = FloatVector.fromArray(SPECIES, x, xi + j).fma(FloatVector.fromArray(SPECIES, y, yi + j), sum);
        }
        sum.intoArray(sums, sumsOffset);
    }

    /** In a fixed order, which reduceLanes does not promise. */
    private static float sumOfLanes(float[] x, int offset) {
        float s0 = 0;
        float s1 = 0;
        float s2 = 0;
        float s3 = 0;
        for (int j = offset; j < offset + LANES; j += 4) {
            s0 += x[j];
            s1 += x[j + 1];
            s2 += x[j + 2];
            s3 += x[j + 3];
        }
        return (s0 + s1) + (s2 + s3);
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
        int whole = SPECIES.loopBound(columns);
        for (int i = 0; i < rows; i++) {
            float factor = factors[factorsOffset + i];
            int s = sourceOffset + i * sourceStride;
            int t = targetOffset + i * targetStride;
            for (int j = 0; j < whole; j += LANES) {
                FloatVector.fromArray(SPECIES, source, s + j).mul(factor).intoArray(target, t + j);
            }
            for (int j = whole; j < columns; j++) {
                target[t + j] = source[s + j] * factor;
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
        int whole = SPECIES.loopBound(columns);
        for (int i = 0; i < rows; i++) {
            int s = sourceOffset + i * sourceStride;
            int t = targetOffset + i * targetStride;
            for (int j = 0; j < whole; j += LANES) {
                FloatVector.fromArray(SPECIES, source, s + j)
                        .mul(factor)
                        .add(FloatVector.fromArray(SPECIES, target, t + j))
                        .intoArray(target, t + j);
            }
            for (int j = whole; j < columns; j++) {
                target[t + j] += source[s + j] * factor;
            }
        }
    }

    @Override
    public boolean allFinite(float[] x, int offset, int stride, int rows, int columns) {
        int whole = SPECIES.loopBound(columns);
        if (stride == columns && whole == columns) {
            return columnsFinite(x, offset, LANES, rows * (columns / LANES));
        }
        for (int j = 0; j < whole; j += LANES) {
            if (!columnsFinite(x, offset + j, stride, rows)) {
                return false;
            }
        }
        for (int i = 0; i < rows; i++) {
            for (int j = whole; j < columns; j++) {
                if (!Float.isFinite(x[offset + i * stride + j])) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Whether a matrix one vector wide is finite: 0 times a number is 0, and NaN for anything else. */
    private static boolean columnsFinite(float[] x, int offset, int stride, int rows) {
        FloatVector zeros0 = FloatVector.zero(SPECIES);
        FloatVector zeros1 = zeros0;
        FloatVector zeros2 = zeros0;
        FloatVector zeros3 = zeros0;
        // Four sums, or each row would wait for the one before.
        int i = 0;
        int row = offset;
        for (; i <= rows - 4; i += 4, row += 4 * stride) {
            zeros0 = FloatVector.fromArray(SPECIES, x, row).fma(FloatVector.zero(SPECIES), zeros0);
            zeros1 = FloatVector.fromArray(SPECIES, x, row + stride).fma(FloatVector.zero(SPECIES), zeros1);
            zeros2 = FloatVector.fromArray(SPECIES, x, row + 2 * stride).fma(FloatVector.zero(SPECIES), zeros2);
            zeros3 = FloatVector.fromArray(SPECIES, x, row + 3 * stride).fma(FloatVector.zero(SPECIES), zeros3);
        }
        for (; i < rows; i++, row += stride) {
            zeros0 = FloatVector.fromArray(SPECIES, x, row).fma(FloatVector.zero(SPECIES), zeros0);
        }
        return zeros0.add(zeros1)
                .add(zeros2.add(zeros3))
                .compare(VectorOperators.EQ, 0f)
                .allTrue();
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
        int whole = SPECIES.loopBound(valueDim);
        for (int c = 0; c < whole; c += LANES) {
            FloatVector sum = FloatVector.fromArray(SPECIES, output, outputOffset + c);
            for (int j = 0, v = valuesOffset + c; j < count; j++, v += valueStride) {
                sum = FloatVector.broadcast(SPECIES, weights[weightsOffset + j])
                        .fma(FloatVector.fromArray(SPECIES, values, v), sum);
            }
            sum.intoArray(output, outputOffset + c);
        }
        for (int c = whole; c < valueDim; c++) {
            float sum = output[outputOffset + c];
            for (int j = 0; j < count; j++) {
                sum += weights[weightsOffset + j] * values[valuesOffset + j * valueStride + c];
            }
            output[outputOffset + c] = sum;
        }
    }

    @Override
    public float softmaxNumerators(
            float[] scores, int offset, int count, float factor, float[] scratch, int scratchOffset) {
        int padded = (count + LANES - 1) / LANES * LANES;
        float maximum = Float.NEGATIVE_INFINITY;
        for (int j = offset; j < offset + count; j++) {
            float score = scores[j] * factor;
            scores[j] = score;
            maximum = score > maximum ? score : maximum;
        }
        Arrays.fill(scores, offset + count, offset + padded, Float.NEGATIVE_INFINITY);
        // One online softmax whose lanes are neighbouring keys of the one query.
        Arrays.fill(scratch, scratchOffset, scratchOffset + LANES, maximum);
        Arrays.fill(scratch, scratchOffset + LANES, scratchOffset + 3 * LANES, 0);
        VectorSoftmax.exponentiate(scores, offset, LANES, padded / LANES, scratch, scratchOffset, LANES);
        return sumOfLanes(scratch, scratchOffset + LANES);
    }
}
