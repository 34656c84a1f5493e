package org.fovea.backend.cpu;

import org.fovea.backend.Philox;

/** {@link PairKernels} in plain loops. */
final class ScalarPairKernels implements PairKernels {
    private static final int LANES = ScalarAttentionKernels.LANES;

    @Override
    public void softcap(float cap, float[] tile, int scores, int stride, int keys, int tanhs) {
        float inverse = 1 / cap;
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float tanh = ScalarMath.tanh(tile[scores + j * stride + i] * inverse);
                tile[tanhs + j * LANES + i] = tanh;
                tile[scores + j * stride + i] = cap * tanh;
            }
        }
    }

    @Override
    public void softcapTangents(
            float cap, float[] tile, int tangents, int stride, int keys, int tanhs, int slopeTangents) {
        float factor = -2 / cap;
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float tanh = tile[tanhs + j * LANES + i];
                float tangent = tile[tangents + j * stride + i] * slope(tanh);
                tile[tangents + j * stride + i] = tangent;
                tile[slopeTangents + j * LANES + i] = factor * tanh * tangent;
            }
        }
    }

    private static float slope(float tanh) {
        return 1 - tanh * tanh;
    }

    @Override
    public void softcapGradients(float[] tile, int gradients, int stride, int keys, int tanhs) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                int at = gradients + j * stride + i;
                tile[at] = tile[at] == 0 ? 0 : tile[at] * slope(tile[tanhs + j * LANES + i]);
            }
        }
    }

    @Override
    public void softcapGradientTangents(
            float[] tile, int gradients, int gradientTangents, int stride, int keys, int tanhs, int slopeTangents) {
        for (int j = 0; j < keys; j++) {
            for (int i = 0; i < LANES; i++) {
                float gradient = tile[gradients + j * stride + i];
                float moved = tile[gradientTangents + j * stride + i];
                float slope = slope(tile[tanhs + j * LANES + i]);
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
