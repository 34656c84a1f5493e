// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.AttentionRowKernels;
import org.fovea.backend.cpu.kernels.PairKernels;

/**
 * {@link AttentionKernels} on vectors of the widest kind. Vectors live in locals of one method only, where the compiler
 * keeps them in registers; in fields or across calls they would be boxed.
 */
public final class VectorAttentionKernels implements AttentionKernels {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final PairKernels PAIRS = new VectorPairKernels();
    private static final AttentionRowKernels ROW_KERNELS = new VectorAttentionRowKernels();

    private static final int NEGATIVE_INFINITY_BITS = Float.floatToRawIntBits(Float.NEGATIVE_INFINITY);

    @Override
    public int lanes() {
        return LANES;
    }

    @Override
    public PairKernels pairs() {
        return PAIRS;
    }

    @Override
    public AttentionRowKernels rows() {
        return ROW_KERNELS;
    }

    @Override
    public void transpose(
            float[] source,
            int sourceOffset,
            int sourceStride,
            int rows,
            int columns,
            float factor,
            float[] target,
            int targetOffset,
            int targetStride) {
        VectorTranspose.transpose(
                source, sourceOffset, sourceStride, rows, columns, factor, target, targetOffset, targetStride);
    }

    @Override
    public void multiply(
            boolean accumulate,
            boolean careful,
            float[] a,
            int aOffset,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int bOffset,
            int bStride,
            float[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns) {
        if (careful) {
            multiplyCarefully(
                    accumulate,
                    a,
                    aOffset,
                    aRowStride,
                    aInnerStride,
                    b,
                    bOffset,
                    bStride,
                    c,
                    cOffset,
                    cStride,
                    rows,
                    inner,
                    columns);
        } else {
            TileProduct.multiply(
                    accumulate,
                    a,
                    aOffset,
                    aRowStride,
                    aInnerStride,
                    b,
                    bOffset,
                    bStride,
                    c,
                    cOffset,
                    cStride,
                    rows,
                    inner,
                    columns);
        }
    }

    /** The same sums in the same order, so what is left out doesn't change a bit of what is not. */
    private static void multiplyCarefully(
            boolean accumulate,
            float[] a,
            int aOffset,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int bOffset,
            int bStride,
            float[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns) {
        for (int i = 0; i < rows; i++) {
            int ci = cOffset + i * cStride;
            for (int j = 0; j < columns; j++) {
                float sum = 0;
                for (int k = 0; k < inner; k++) {
                    float x = a[aOffset + i * aRowStride + k * aInnerStride];
                    sum = x == 0 ? sum : Math.fma(x, b[bOffset + k * bStride + j], sum);
                }
                c[ci + j] = accumulate ? c[ci + j] + sum : sum;
            }
        }
    }

    @Override
    public void addMask(float[] mask, int maskOffset, float[] scores, int offset, int stride, int keys) {
        for (int j = 0, m = maskOffset, s = offset; j < keys; j++, m += stride, s += stride) {
            FloatVector added = FloatVector.fromArray(SPECIES, mask, m);
            FloatVector sum = FloatVector.fromArray(SPECIES, scores, s).add(added);
            sum.blend(-Float.MAX_VALUE, sum.compare(VectorOperators.LT, -Float.MAX_VALUE))
                    .blend(Float.NEGATIVE_INFINITY, added.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY))
                    .intoArray(scores, s);
        }
    }

    @Override
    public void hideOutsideBand(
            float[] scores, int offset, int stride, int firstKey, int keys, int[] low, int[] high, int lane) {
        IntVector lows = IntVector.fromArray(INTS, low, lane);
        IntVector highs = IntVector.fromArray(INTS, high, lane);
        for (int j = 0, s = offset; j < keys; j++, s += stride) {
            FloatVector.fromArray(SPECIES, scores, s)
                    .reinterpretAsInts()
                    .blend(NEGATIVE_INFINITY_BITS, lows.compare(VectorOperators.GT, firstKey + j))
                    .blend(NEGATIVE_INFINITY_BITS, highs.compare(VectorOperators.LE, firstKey + j))
                    .reinterpretAsFloats()
                    .intoArray(scores, s);
        }
    }

    @Override
    public void hideOtherSegments(
            float[] scores,
            int offset,
            int stride,
            int keys,
            int[] keySegments,
            int keySegmentsOffset,
            int[] querySegments,
            int lane) {
        IntVector segments = IntVector.fromArray(INTS, querySegments, lane);
        for (int j = 0, s = offset; j < keys; j++, s += stride) {
            FloatVector.fromArray(SPECIES, scores, s)
                    .reinterpretAsInts()
                    .blend(
                            NEGATIVE_INFINITY_BITS,
                            segments.compare(VectorOperators.NE, keySegments[keySegmentsOffset + j]))
                    .reinterpretAsFloats()
                    .intoArray(scores, s);
        }
    }

    @Override
    public boolean onlineSoftmax(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        return VectorSoftmax.online(scores, offset, stride, keys, state, stateOffset, stateStride);
    }

    @Override
    public void finishSoftmax(float[] state, int stateOffset, int stateStride) {
        VectorSoftmax.finish(state, stateOffset, stateStride);
    }

    @Override
    public void scoreGradients(
            boolean wholeRows,
            float[] scores,
            int offset,
            float[] gradients,
            int gradientsOffset,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride) {
        VectorSoftmax.gradients(
                wholeRows, scores, offset, gradients, gradientsOffset, stride, keys, state, stateOffset, stateStride);
    }

    @Override
    public void probabilityTangents(
            float[] tile,
            int scores,
            int tangents,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride) {
        VectorTangents.probabilities(tile, scores, tangents, stride, keys, state, stateOffset, stateStride);
    }

    @Override
    public void scoreGradientTangents(
            float[] tile,
            int probabilities,
            int tangents,
            int gradients,
            int gradientTangents,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride) {
        VectorTangents.gradients(
                tile,
                probabilities,
                tangents,
                gradients,
                gradientTangents,
                stride,
                keys,
                state,
                stateOffset + 2 * stateStride,
                stateStride);
    }
}
