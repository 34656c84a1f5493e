// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.kernels.PairKernels;

/** {@link PairKernels} on vectors, in locals of one method as in {@link VectorAttentionKernels}. */
final class VectorPairKernels implements PairKernels {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final double LOG2_E = 1 / Math.log(2);

    /** Adding it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low bits. */
    private static final float ROUNDER = 0x1.8p23f + 127;

    /** {@code 2^x} up to here is a number, and its inverse is 0 beside 1 whatever it is multiplied by. */
    private static final float LARGEST = 126f;

    private static final int SIGN_BIT = 0x80000000;

    // Polynomial of (2^x - 1) / x on [-1/2, 1/2], of Cephes' exp2f.
    private static final float EXP_1 = 6.931472028550421e-1f;
    private static final float EXP_2 = 2.402264791363012e-1f;
    private static final float EXP_3 = 5.550332471162809e-2f;
    private static final float EXP_4 = 9.618437357674640e-3f;
    private static final float EXP_5 = 1.339887440266574e-3f;
    private static final float EXP_6 = 1.535336188319500e-4f;

    /** {@code tanh(y) = m / (m + 2)} and {@code 1 - tanh(y) = 2 / (m + 2)} with {@code m = 2^x - 1} and {@code x = 2 log2(e) y}. */
    @Override
    public void softcap(float cap, float[] tile, int scores, int stride, int keys, int tails) {
        float factor = (float) (2 * LOG2_E / cap);
        for (int j = 0, s = scores, t = tails; j < keys; j++, s += stride, t += LANES) {
            FloatVector score = FloatVector.fromArray(SPECIES, tile, s);
            FloatVector x = score.abs().mul(factor);
            x = x.blend(LARGEST, x.compare(VectorOperators.GT, LARGEST));
            FloatVector rounded = x.add(ROUNDER);
            FloatVector rest = x.sub(rounded.sub(ROUNDER));
            FloatVector power = rounded.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector m = FloatVector.broadcast(SPECIES, EXP_6)
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_5))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_4))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_3))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_2))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_1))
                    .mul(rest)
                    .fma(power, power.sub(1f));
            FloatVector half = FloatVector.broadcast(SPECIES, 1f).div(m.add(2f));
            IntVector sign = score.reinterpretAsInts().and(SIGN_BIT);
            half.add(half).reinterpretAsInts().or(sign).reinterpretAsFloats().intoArray(tile, t);
            half.mul(m)
                    .mul(cap)
                    .reinterpretAsInts()
                    .or(sign)
                    .reinterpretAsFloats()
                    .intoArray(tile, s);
        }
    }

    @Override
    public void softcapTangents(
            float cap, float[] tile, int tangents, int stride, int keys, int tails, int slopeTangents) {
        float factor = -2 / cap;
        for (int j = 0, s = tangents, t = 0; j < keys; j++, s += stride, t += LANES) {
            FloatVector tail = FloatVector.fromArray(SPECIES, tile, tails + t);
            FloatVector distance = tail.abs();
            FloatVector slope = FloatVector.broadcast(SPECIES, 2f).sub(distance).mul(distance);
            FloatVector tangent = FloatVector.fromArray(SPECIES, tile, s).mul(slope);
            tangent.intoArray(tile, s);
            FloatVector.broadcast(SPECIES, 1f)
                    .sub(distance)
                    .reinterpretAsInts()
                    .or(tail.reinterpretAsInts().and(SIGN_BIT))
                    .reinterpretAsFloats()
                    .mul(factor)
                    .mul(tangent)
                    .intoArray(tile, slopeTangents + t);
        }
    }

    @Override
    public void softcapGradients(float[] tile, int gradients, int stride, int keys, int tails) {
        for (int j = 0, s = gradients, t = tails; j < keys; j++, s += stride, t += LANES) {
            FloatVector distance = FloatVector.fromArray(SPECIES, tile, t).abs();
            FloatVector gradient = FloatVector.fromArray(SPECIES, tile, s);
            // The product alone won't do: the score of a hidden key may be NaN.
            FloatVector.broadcast(SPECIES, 2f)
                    .sub(distance)
                    .mul(distance)
                    .mul(gradient)
                    .blend(0f, gradient.compare(VectorOperators.EQ, 0f))
                    .intoArray(tile, s);
        }
    }

    @Override
    public void softcapGradientTangents(
            float[] tile, int gradients, int gradientTangents, int stride, int keys, int tails, int slopeTangents) {
        for (int j = 0, s = 0, t = 0; j < keys; j++, s += stride, t += LANES) {
            FloatVector distance =
                    FloatVector.fromArray(SPECIES, tile, tails + t).abs();
            FloatVector slope = FloatVector.broadcast(SPECIES, 2f).sub(distance).mul(distance);
            FloatVector gradient = FloatVector.fromArray(SPECIES, tile, gradients + s);
            FloatVector moved = FloatVector.fromArray(SPECIES, tile, gradientTangents + s);
            FloatVector bent = FloatVector.fromArray(SPECIES, tile, slopeTangents + t)
                    .mul(gradient)
                    .blend(0f, gradient.compare(VectorOperators.EQ, 0f));
            slope.mul(gradient)
                    .blend(0f, gradient.compare(VectorOperators.EQ, 0f))
                    .intoArray(tile, gradients + s);
            slope.fma(moved, bent)
                    .blend(bent, moved.compare(VectorOperators.EQ, 0f))
                    .intoArray(tile, gradientTangents + s);
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
        VectorDropout.factors(seed, stream, firstQuery, firstKey, keys, dropout, kept, words, factors, offset);
    }

    @Override
    public void multiply(float[] tile, int pairs, int stride, int keys, int factors) {
        for (int j = 0, s = pairs, f = factors; j < keys; j++, s += stride, f += LANES) {
            FloatVector.fromArray(SPECIES, tile, s)
                    .mul(FloatVector.fromArray(SPECIES, tile, f))
                    .intoArray(tile, s);
        }
    }
}
