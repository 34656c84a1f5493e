// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.AttentionRowKernels;
import org.fovea.backend.cpu.kernels.PairKernels;

/** {@link AttentionKernels} in plain loops over {@link #LANES} lanes, for a virtual machine without the vector module. */
public final class ScalarAttentionKernels implements AttentionKernels {
    static final int LANES = 8;

    private static final PairKernels PAIRS = new ScalarPairKernels();
    private static final AttentionRowKernels ROW_KERNELS = new ScalarAttentionRowKernels();
    private static final float LOG2_E = (float) (1 / Math.log(2));

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
        int padded = (rows + LANES - 1) / LANES * LANES;
        for (int j = 0; j < columns; j++) {
            int t = targetOffset + j * targetStride;
            for (int i = 0; i < rows; i++) {
                target[t + i] = source[sourceOffset + i * sourceStride + j] * factor;
            }
            Arrays.fill(target, t + rows, t + padded, 0);
        }
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
        for (int i = 0; i < rows; i++) {
            int ci = cOffset + i * cStride;
            if (!accumulate) {
                Arrays.fill(c, ci, ci + columns, 0);
            }
            for (int k = 0; k < inner; k++) {
                float x = a[aOffset + i * aRowStride + k * aInnerStride];
                int bk = bOffset + k * bStride;
                for (int j = 0; j < columns && (!careful || x != 0); j++) {
                    c[ci + j] += x * b[bk + j];
                }
            }
        }
    }

    @Override
    public void addMask(float[] mask, int maskOffset, float[] scores, int offset, int stride, int keys) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float m = mask[maskOffset + j * stride + i];
                float sum = scores[offset + j * stride + i] + m;
                scores[offset + j * stride + i] =
                        m == Float.NEGATIVE_INFINITY ? m : sum < -Float.MAX_VALUE ? -Float.MAX_VALUE : sum;
            }
        }
    }

    @Override
    public void hideOutsideBand(
            float[] scores, int offset, int stride, int firstKey, int keys, int[] low, int[] high, int lane) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                if (firstKey + j < low[lane + i] || firstKey + j >= high[lane + i]) {
                    scores[offset + j * stride + i] = Float.NEGATIVE_INFINITY;
                }
            }
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
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                if (keySegments[keySegmentsOffset + j] != querySegments[lane + i]) {
                    scores[offset + j * stride + i] = Float.NEGATIVE_INFINITY;
                }
            }
        }
    }

    /** The same polynomial as the vector kernels'. */
    static float exp(float difference) {
        float x = difference * LOG2_E;
        if (x < -126) {
            return 0;
        }
        float rounded = x + (0x1.8p23f + 127);
        float rest = x - (rounded - (0x1.8p23f + 127));
        float power = Float.intBitsToFloat(Float.floatToRawIntBits(rounded) << 23);
        float polynomial = 0.00015353362f;
        polynomial = polynomial * rest + 0.0013398875f;
        polynomial = polynomial * rest + 0.009618437f;
        polynomial = polynomial * rest + 0.055503324f;
        polynomial = polynomial * rest + 0.24022648f;
        polynomial = polynomial * rest + 0.6931472f;
        return (polynomial * rest + 1) * power;
    }

    @Override
    public boolean onlineSoftmax(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        boolean grew = false;
        for (int i = 0; i < LANES; i++) {
            float before = state[stateOffset + i];
            float maximum = before;
            for (int j = 0; j < keys; j++) {
                float score = scores[offset + j * stride + i];
                maximum = score > maximum ? score : maximum;
            }
            state[stateOffset + i] = maximum;
            grew |= maximum > before;
            // With nothing visible so far, -infinity - -infinity would be NaN.
            float safe = maximum == Float.NEGATIVE_INFINITY ? 0 : maximum;
            float rescale = exp(before - safe);
            float sum = 0;
            for (int j = 0; j < keys; j++) {
                float p = exp(scores[offset + j * stride + i] - safe);
                scores[offset + j * stride + i] = p;
                sum += p;
            }
            state[stateOffset + stateStride + i] = state[stateOffset + stateStride + i] * rescale + sum;
            state[stateOffset + 2 * stateStride + i] = rescale;
        }
        return grew;
    }

    @Override
    public void finishSoftmax(float[] state, int stateOffset, int stateStride) {
        for (int i = 0; i < LANES; i++) {
            float maximum = state[stateOffset + i];
            float sum = state[stateOffset + stateStride + i];
            boolean empty = sum == 0;
            state[stateOffset + i] = empty ? Float.POSITIVE_INFINITY : (float) (maximum + StrictMath.log(sum));
            state[stateOffset + stateStride + i] = empty ? 0 : 1 / sum;
        }
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
        for (int i = 0; i < LANES; i++) {
            int delta = stateOffset + stateStride + i;
            float dot = 0;
            float inverse = state[stateOffset + 5 * stateStride + i];
            for (int j = 0; j < keys; j++) {
                float p = exp(scores[offset + j * stride + i] - state[stateOffset + i]) * inverse;
                scores[offset + j * stride + i] = p;
                dot += p == 0 ? 0 : p * gradients[gradientsOffset + j * stride + i];
            }
            if (wholeRows) {
                state[delta] += dot;
            }
            for (int j = 0; j < keys; j++) {
                float p = scores[offset + j * stride + i];
                int g = gradientsOffset + j * stride + i;
                gradients[g] = p == 0 ? 0 : p * (gradients[g] - state[delta]);
            }
        }
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
        for (int i = 0; i < LANES; i++) {
            float dot = 0;
            float inverse = state[stateOffset + 5 * stateStride + i];
            for (int j = 0; j < keys; j++) {
                int at = j * stride + i;
                float p = exp(tile[scores + at] - state[stateOffset + i]) * inverse;
                tile[scores + at] = p;
                dot += p == 0 ? 0 : p * tile[tangents + at];
            }
            float r = state[stateOffset + stateStride + i] + dot;
            state[stateOffset + stateStride + i] = r;
            for (int j = 0; j < keys; j++) {
                int at = j * stride + i;
                float p = tile[scores + at];
                tile[tangents + at] = p == 0 ? 0 : p * (tile[tangents + at] - r);
            }
        }
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
        for (int i = 0; i < LANES; i++) {
            float delta = state[stateOffset + 2 * stateStride + i];
            float e = state[stateOffset + 3 * stateStride + i];
            for (int j = 0; j < keys; j++) {
                int at = j * stride + i;
                float p = tile[probabilities + at];
                delta += p == 0 ? 0 : p * tile[gradients + at];
            }
            e += delta * state[stateOffset + 4 * stateStride + i];
            for (int j = 0; j < keys; j++) {
                int at = j * stride + i;
                float p = tile[probabilities + at];
                float centred = tile[gradients + at] - delta;
                float moved = tile[tangents + at] * centred + p * tile[gradientTangents + at];
                tile[gradients + at] = p == 0 ? 0 : p * centred;
                tile[gradientTangents + at] = p == 0 ? 0 : moved;
                e += p == 0 ? 0 : moved;
            }
            for (int j = 0; j < keys; j++) {
                int at = j * stride + i;
                float p = tile[probabilities + at];
                tile[gradientTangents + at] -= p == 0 ? 0 : p * e;
            }
            state[stateOffset + 2 * stateStride + i] = delta;
            state[stateOffset + 3 * stateStride + i] = e;
        }
    }
}
