// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import org.fovea.backend.cpu.kernels.PairKernels;
import org.fovea.backend.math.Philox;

/** {@link PairKernels} in plain loops. */
final class ScalarPairKernels implements PairKernels {
    private static final int LANES = ScalarAttentionKernels.LANES;

    @Override
    public void softcap(float cap, float[] tile, int scores, int stride, int keys, int tails) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                double score = tile[scores + j * stride + i];
                double x = -2 * Math.abs(score) / cap;
                double e = StrictMath.exp(x);
                tile[tails + j * LANES + i] = (float) Math.copySign(2 * e / (1 + e), score);
                tile[scores + j * stride + i] = (float) Math.copySign(cap * -StrictMath.expm1(x) / (1 + e), score);
            }
        }
    }

    @Override
    public void softcapTangents(
            float cap, float[] tile, int tangents, int stride, int keys, int tails, int slopeTangents) {
        float factor = -2 / cap;
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float tail = tile[tails + j * LANES + i];
                float tangent = tile[tangents + j * stride + i] * slope(tail);
                tile[tangents + j * stride + i] = tangent;
                tile[slopeTangents + j * LANES + i] = factor * Math.copySign(1 - Math.abs(tail), tail) * tangent;
            }
        }
    }

    private static float slope(float tail) {
        return Math.abs(tail) * (2 - Math.abs(tail));
    }

    @Override
    public void softcapGradients(float[] tile, int gradients, int stride, int keys, int tails) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                int at = gradients + j * stride + i;
                tile[at] = tile[at] == 0 ? 0 : tile[at] * slope(tile[tails + j * LANES + i]);
            }
        }
    }

    @Override
    public void softcapGradientTangents(
            float[] tile, int gradients, int gradientTangents, int stride, int keys, int tails, int slopeTangents) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float gradient = tile[gradients + j * stride + i];
                float moved = tile[gradientTangents + j * stride + i];
                float slope = slope(tile[tails + j * LANES + i]);
                float bent = gradient == 0 ? 0 : gradient * tile[slopeTangents + j * LANES + i];
                tile[gradients + j * stride + i] = gradient == 0 ? 0 : gradient * slope;
                tile[gradientTangents + j * stride + i] = moved == 0 ? bent : moved * slope + bent;
            }
        }
    }

    @Override
    public void dropoutFactors(
            long seed,
            int stream,
            int firstQuery,
            int firstKey,
            int keys,
            float dropout,
            float kept,
            int[] words,
            float[] factors,
            int offset) {
        float[] numbers = new float[keys];
        for (int i = 0; i < LANES; i++) {
            Philox.fill(seed, stream, ((long) (firstQuery + i) << 34) + firstKey, numbers, 0, keys);
            for (int j = 0; j < keys; j++) {
                factors[offset + j * LANES + i] = numbers[j] < dropout ? 0 : kept;
            }
        }
    }

    @Override
    public void multiply(float[] tile, int pairs, int stride, int keys, int factors) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                tile[pairs + j * stride + i] *= tile[factors + j * LANES + i];
            }
        }
    }
}
