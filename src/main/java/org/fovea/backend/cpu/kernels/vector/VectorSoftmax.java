// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The softmax of {@link VectorAttentionKernels} and its gradient: one query per lane. */
final class VectorSoftmax {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    /** Adding it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low bits. */
    private static final float ROUNDER = 0x1.8p23f + 127;

    /** A float whose lowest bit is worth 1: adding a small integer to its bits adds it to the number. */
    private static final float INTEGER = 0x1.8p23f;

    private static final int INTEGER_BITS = Float.floatToRawIntBits(INTEGER);

    private static final float LOG2_E = (float) (1 / Math.log(2));

    private static final float LN_2 = (float) Math.log(2);

    /** The logarithm of the smallest normal number, 2^-126. */
    private static final float SMALLEST_EXPONENT = (float) (-126 * Math.log(2));

    // Minimax polynomial of 2^x on [-1/2, 1/2], relative error 2e-9: its roundings are what is left.
    private static final float EXP_1 = 0.6931472f;
    private static final float EXP_2 = 0.24022648f;
    private static final float EXP_3 = 0.055503324f;
    private static final float EXP_4 = 0.009618437f;
    private static final float EXP_5 = 0.0013398875f;
    private static final float EXP_6 = 0.00015353362f;

    private VectorSoftmax() {}

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#onlineSoftmax}. */
    static boolean online(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        boolean grew = raiseMaximum(scores, offset, stride, keys, state, stateOffset, stateStride);
        exponentiate(scores, offset, stride, keys, state, stateOffset, stateStride);
        return grew;
    }

    /** Takes scores into the running maximum and leaves the old one where the factors of earlier sums will be. */
    private static boolean raiseMaximum(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        FloatVector before = FloatVector.fromArray(SPECIES, state, stateOffset);
        FloatVector m0 = before;
        FloatVector m1 = before;
        FloatVector m2 = before;
        FloatVector m3 = before;
        int j = 0;
        int s = offset;
        // Comparing and blending is quicker than max, which must order -0 and 0, and lets NaN pass to the exponential.
        for (; j <= keys - 4; j += 4, s += 4 * stride) {
            FloatVector x0 = FloatVector.fromArray(SPECIES, scores, s);
            FloatVector x1 = FloatVector.fromArray(SPECIES, scores, s + stride);
            FloatVector x2 = FloatVector.fromArray(SPECIES, scores, s + 2 * stride);
            FloatVector x3 = FloatVector.fromArray(SPECIES, scores, s + 3 * stride);
            m0 = m0.blend(x0, x0.compare(VectorOperators.GT, m0));
            m1 = m1.blend(x1, x1.compare(VectorOperators.GT, m1));
            m2 = m2.blend(x2, x2.compare(VectorOperators.GT, m2));
            m3 = m3.blend(x3, x3.compare(VectorOperators.GT, m3));
        }
        for (; j < keys; j++, s += stride) {
            FloatVector x = FloatVector.fromArray(SPECIES, scores, s);
            m0 = m0.blend(x, x.compare(VectorOperators.GT, m0));
        }
        m0 = m0.blend(m1, m1.compare(VectorOperators.GT, m0));
        m2 = m2.blend(m3, m3.compare(VectorOperators.GT, m2));
        m0 = m0.blend(m2, m2.compare(VectorOperators.GT, m0));
        m0.intoArray(state, stateOffset);
        before.intoArray(state, stateOffset + 2 * stateStride);
        return m0.compare(VectorOperators.GT, before).anyTrue();
    }

    /**
     * Replaces scores by {@code e^(score - maximum)} and takes them into the running sum. The old maximum is treated as one more
     * score, which does not count; what replaces it is the factor of earlier sums. The new scores have a sum of their own first:
     * short sums of short sums lose less to rounding than a long one.
     *
     * <p>e^x is 2^y of y = x log2(e), found by rounding y to an integer and a polynomial of the rest; it is 0 below the smallest normal number, and
     * NaN stays NaN. It stands in the loop, not in a method: called often it might be compiled on its own, would not be
     * inlined any more, and its vectors would be boxed.
     */
    static void exponentiate(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        FloatVector maximum = FloatVector.fromArray(SPECIES, state, stateOffset);
        // With nothing visible so far the maximum is -infinity, and -infinity - -infinity would be NaN.
        maximum = maximum.blend(0f, maximum.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
        FloatVector sum = FloatVector.zero(SPECIES);
        FloatVector weight = FloatVector.zero(SPECIES);
        float[] array = state;
        int s = stateOffset + 2 * stateStride;
        int next = offset;
        for (int j = 0; j <= keys; j++) {
            FloatVector x = FloatVector.fromArray(SPECIES, array, s).sub(maximum);
            FloatVector rounded =
                    x.fma(FloatVector.broadcast(SPECIES, LOG2_E), FloatVector.broadcast(SPECIES, ROUNDER));
            FloatVector rest = x.fma(
                    FloatVector.broadcast(SPECIES, LOG2_E),
                    FloatVector.broadcast(SPECIES, ROUNDER).sub(rounded));
            FloatVector power = rounded.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector p = FloatVector.broadcast(SPECIES, EXP_6)
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_5))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_4))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_3))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_2))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_1))
                    .fma(rest, FloatVector.broadcast(SPECIES, 1f))
                    .mul(power)
                    .blend(0f, x.compare(VectorOperators.LT, SMALLEST_EXPONENT));
            p.intoArray(array, s);
            sum = p.fma(weight, sum);
            weight = FloatVector.broadcast(SPECIES, 1f);
            array = scores;
            s = next;
            next += stride;
        }
        FloatVector.fromArray(SPECIES, state, stateOffset + 2 * stateStride)
                .fma(FloatVector.fromArray(SPECIES, state, stateOffset + stateStride), sum)
                .intoArray(state, stateOffset + stateStride);
    }

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#finishSoftmax}. */
    static void finish(float[] state, int stateOffset, int stateStride) {
        FloatVector maximum = FloatVector.fromArray(SPECIES, state, stateOffset);
        FloatVector sum = FloatVector.fromArray(SPECIES, state, stateOffset + stateStride);
        // log(sum) = exponent ln 2 + log(1 + x) with 1 + x in [sqrt(1/2), sqrt(2)); polynomial of Cephes' logf.
        IntVector bits = sum.reinterpretAsInts();
        IntVector exponent = bits.sub(0x3f3504f3).lanewise(VectorOperators.ASHR, 23);
        FloatVector x = bits.sub(exponent.lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats()
                .sub(1f);
        FloatVector n = exponent.add(INTEGER_BITS).reinterpretAsFloats().sub(INTEGER);
        FloatVector square = x.mul(x);
        FloatVector polynomial = FloatVector.broadcast(SPECIES, 7.0376836292E-2f)
                .fma(x, FloatVector.broadcast(SPECIES, -1.1514610310E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, 1.1676998740E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, -1.2420140846E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, 1.4249322787E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, -1.6668057665E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, 2.0000714765E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, -2.4999993993E-1f))
                .fma(x, FloatVector.broadcast(SPECIES, 3.3333331174E-1f));
        FloatVector log = square.mul(polynomial.mul(x).sub(0.5f)).add(x);
        FloatVector logSumExp = n.fma(FloatVector.broadcast(SPECIES, LN_2), log).add(maximum);
        FloatVector inverse = FloatVector.broadcast(SPECIES, 1f).div(sum);
        // A NaN among the scores makes the sum NaN, whose bits would give a finite logarithm.
        logSumExp
                .blend(sum, sum.compare(VectorOperators.NE, sum))
                .blend(Float.POSITIVE_INFINITY, sum.compare(VectorOperators.EQ, 0f))
                .intoArray(state, stateOffset);
        inverse.blend(0f, sum.compare(VectorOperators.EQ, 0f)).intoArray(state, stateOffset + stateStride);
    }

    /** {@link org.fovea.backend.cpu.kernels.AttentionKernels#scoreGradients}. */
    static void gradients(
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
        probabilities(
                wholeRows, scores, offset, gradients, gradientsOffset, stride, keys, state, stateOffset, stateStride);
        FloatVector delta = FloatVector.fromArray(SPECIES, state, stateOffset + stateStride);
        for (int j = 0, s = offset, g = gradientsOffset; j < keys; j++, s += stride, g += stride) {
            FloatVector p = FloatVector.fromArray(SPECIES, scores, s);
            // The product alone won't do: the gradient of a hidden key may be NaN.
            FloatVector.fromArray(SPECIES, gradients, g)
                    .sub(delta)
                    .mul(p)
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .intoArray(gradients, g);
        }
    }

    /**
     * Probabilities of scores, and if these are whole rows, the sums of {@code P dP}, added to delta.
     */
    static void probabilities(
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
        FloatVector maximum = FloatVector.fromArray(SPECIES, state, stateOffset);
        FloatVector dots = FloatVector.zero(SPECIES);
        FloatVector inverse = FloatVector.fromArray(SPECIES, state, stateOffset + 5 * stateStride);
        for (int j = 0, s = offset, g = gradientsOffset; j < keys; j++, s += stride, g += stride) {
            // As in exponentiate.
            FloatVector x = FloatVector.fromArray(SPECIES, scores, s).sub(maximum);
            FloatVector rounded =
                    x.fma(FloatVector.broadcast(SPECIES, LOG2_E), FloatVector.broadcast(SPECIES, ROUNDER));
            FloatVector rest = x.fma(
                    FloatVector.broadcast(SPECIES, LOG2_E),
                    FloatVector.broadcast(SPECIES, ROUNDER).sub(rounded));
            FloatVector power = rounded.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector p = FloatVector.broadcast(SPECIES, EXP_6)
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_5))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_4))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_3))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_2))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_1))
                    .fma(rest, FloatVector.broadcast(SPECIES, 1f))
                    .mul(power)
                    .mul(inverse)
                    .blend(0f, x.compare(VectorOperators.LT, SMALLEST_EXPONENT));
            p.intoArray(scores, s);
            FloatVector gradient = FloatVector.fromArray(SPECIES, gradients, g);
            dots = p.fma(gradient.blend(0f, p.compare(VectorOperators.EQ, 0f)), dots);
        }
        if (wholeRows) {
            dots.add(FloatVector.fromArray(SPECIES, state, stateOffset + stateStride))
                    .intoArray(state, stateOffset + stateStride);
        }
    }
}
