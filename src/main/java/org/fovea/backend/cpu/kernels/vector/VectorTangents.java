// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The tangents of {@link VectorSoftmax}: one query per lane. */
final class VectorTangents {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    private VectorTangents() {}

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#probabilityTangents}. */
    static void probabilities(
            float[] tile,
            int scores,
            int tangents,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride) {
        int r = stateOffset + stateStride;
        // The sum of P T is what the gradient of the scores would take of P dP.
        VectorSoftmax.probabilities(true, tile, scores, tile, tangents, stride, keys, state, stateOffset, stateStride);
        centre(tile, scores, tangents, stride, keys, state, r);
    }

    private static void centre(
            float[] tile, int probabilities, int tangents, int stride, int keys, float[] state, int mean) {
        FloatVector r = FloatVector.fromArray(SPECIES, state, mean);
        for (int j = 0, s = probabilities, t = tangents; j < keys; j++, s += stride, t += stride) {
            FloatVector p = FloatVector.fromArray(SPECIES, tile, s);
            // The product alone won't do: the tangent of a hidden score may be NaN.
            FloatVector.fromArray(SPECIES, tile, t)
                    .sub(r)
                    .mul(p)
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .intoArray(tile, t);
        }
    }

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#scoreGradientTangents}. */
    static void gradients(
            float[] tile,
            int probabilities,
            int tangents,
            int gradients,
            int gradientTangents,
            int stride,
            int keys,
            float[] state,
            int delta,
            int stateStride) {
        mean(tile, probabilities, gradients, stride, keys, state, delta);
        int deltaTangent = delta + stateStride;
        FloatVector.fromArray(SPECIES, state, delta)
                .fma(
                        FloatVector.fromArray(SPECIES, state, deltaTangent + stateStride),
                        FloatVector.fromArray(SPECIES, state, deltaTangent))
                .intoArray(state, deltaTangent);
        products(tile, probabilities, tangents, gradients, gradientTangents, stride, keys, state, delta, deltaTangent);
        FloatVector e = FloatVector.fromArray(SPECIES, state, deltaTangent);
        for (int j = 0, s = probabilities, g = gradientTangents; j < keys; j++, s += stride, g += stride) {
            FloatVector p = FloatVector.fromArray(SPECIES, tile, s);
            FloatVector.fromArray(SPECIES, tile, g)
                    .sub(p.mul(e))
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .intoArray(tile, g);
        }
    }

    /** Adds the sum of P dP to delta. */
    private static void mean(
            float[] tile, int probabilities, int gradients, int stride, int keys, float[] state, int delta) {
        FloatVector even = FloatVector.fromArray(SPECIES, state, delta);
        FloatVector odd = FloatVector.zero(SPECIES);
        int s = probabilities;
        int g = gradients;
        int j = 0;
        for (; j <= keys - 2; j += 2, s += 2 * stride, g += 2 * stride) {
            FloatVector p = FloatVector.fromArray(SPECIES, tile, s);
            FloatVector q = FloatVector.fromArray(SPECIES, tile, s + stride);
            even = FloatVector.fromArray(SPECIES, tile, g)
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .fma(p, even);
            odd = FloatVector.fromArray(SPECIES, tile, g + stride)
                    .blend(0f, q.compare(VectorOperators.EQ, 0f))
                    .fma(q, odd);
        }
        if (j < keys) {
            FloatVector p = FloatVector.fromArray(SPECIES, tile, s);
            even = FloatVector.fromArray(SPECIES, tile, g)
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .fma(p, even);
        }
        even.add(odd).intoArray(state, delta);
    }

    /** Makes dS, and {@code P. (dP - delta) + P W} in place of W, whose sum it adds to e. */
    private static void products(
            float[] tile,
            int probabilities,
            int tangents,
            int gradients,
            int gradientTangents,
            int stride,
            int keys,
            float[] state,
            int delta,
            int deltaTangent) {
        FloatVector mean = FloatVector.fromArray(SPECIES, state, delta);
        FloatVector e = FloatVector.fromArray(SPECIES, state, deltaTangent);
        for (int j = 0, s = 0; j < keys; j++, s += stride) {
            FloatVector p = FloatVector.fromArray(SPECIES, tile, probabilities + s);
            FloatVector centred =
                    FloatVector.fromArray(SPECIES, tile, gradients + s).sub(mean);
            FloatVector moved = FloatVector.fromArray(SPECIES, tile, gradientTangents + s)
                    .mul(p)
                    .add(FloatVector.fromArray(SPECIES, tile, tangents + s).mul(centred))
                    .blend(0f, p.compare(VectorOperators.EQ, 0f));
            centred.mul(p).blend(0f, p.compare(VectorOperators.EQ, 0f)).intoArray(tile, gradients + s);
            moved.intoArray(tile, gradientTangents + s);
            e = e.add(moved);
        }
        e.intoArray(state, deltaTangent);
    }
}
