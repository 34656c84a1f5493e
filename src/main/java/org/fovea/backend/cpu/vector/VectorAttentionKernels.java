package org.fovea.backend.cpu.vector;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;
import org.fovea.backend.cpu.AttentionKernels;

/**
 * {@link AttentionKernels} on vectors of the widest kind. Vectors live in locals of one method only, where the compiler
 * keeps them in registers; in fields or across calls they would be boxed.
 */
public final class VectorAttentionKernels implements AttentionKernels {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();

    private static final int NEGATIVE_INFINITY_BITS = Float.floatToRawIntBits(Float.NEGATIVE_INFINITY);

    /** Adding it rounds to an integer n and leaves n + 127, the exponent of 2^n, in the low bits. */
    private static final float ROUNDER = 0x1.8p23f + 127;

    /** A float whose lowest bit is worth 1: adding a small integer to its bits adds it to the number. */
    private static final float INTEGER = 0x1.8p23f;

    private static final int INTEGER_BITS = Float.floatToRawIntBits(INTEGER);

    private static final float SMALLEST_EXPONENT = -126f;

    // Minimax polynomial of 2^x on [-1/2, 1/2], relative error 1e-7.
    private static final float EXP_1 = 0.693147f;
    private static final float EXP_2 = 0.24022242f;
    private static final float EXP_3 = 0.055507336f;
    private static final float EXP_4 = 0.009671513f;
    private static final float EXP_5 = 0.0013264727f;

    private static final float LN_2 = (float) Math.log(2);

    @Override
    public int lanes() {
        return LANES;
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
        int i = 0;
        // Four rows at a time: their elements are neighbours in the target, so one range check does for four stores.
        for (; i <= rows - 4; i += 4) {
            int s0 = sourceOffset + i * sourceStride;
            int s1 = s0 + sourceStride;
            int s2 = s1 + sourceStride;
            int s3 = s2 + sourceStride;
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = source[s0 + j] * factor;
                target[t + 1] = source[s1 + j] * factor;
                target[t + 2] = source[s2 + j] * factor;
                target[t + 3] = source[s3 + j] * factor;
            }
        }
        for (; i < rows; i++) {
            int s = sourceOffset + i * sourceStride;
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = source[s + j] * factor;
            }
        }
        for (; i < padded; i++) {
            for (int j = 0, t = targetOffset + i; j < columns; j++, t += targetStride) {
                target[t] = 0;
            }
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
        TileProduct.multiply(
                accumulate,
                careful,
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
     * Replaces scores by {@code 2^(score - maximum)} and takes them into the running sum. The sum so far is treated as one
     * more score, the old maximum, that counts as often as the old sum says; what replaces it is the factor of earlier sums.
     *
     * <p>2^x is found by rounding x to an integer and a polynomial of the rest; it is 0 below the smallest normal number, and
     * NaN stays NaN. It stands in the loop, not in a method: called often it might be compiled on its own, would not be
     * inlined any more, and its vectors would be boxed.
     */
    private static void exponentiate(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride) {
        FloatVector maximum = FloatVector.fromArray(SPECIES, state, stateOffset);
        // With nothing visible so far the maximum is -infinity, and -infinity - -infinity would be NaN.
        maximum = maximum.blend(0f, maximum.compare(VectorOperators.EQ, Float.NEGATIVE_INFINITY));
        FloatVector sum = FloatVector.zero(SPECIES);
        FloatVector weight = FloatVector.fromArray(SPECIES, state, stateOffset + stateStride);
        float[] array = state;
        int s = stateOffset + 2 * stateStride;
        int next = offset;
        for (int j = 0; j <= keys; j++) {
            FloatVector x = FloatVector.fromArray(SPECIES, array, s).sub(maximum);
            FloatVector rounded = x.add(ROUNDER);
            FloatVector rest = x.sub(rounded.sub(ROUNDER));
            FloatVector power = rounded.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector p = FloatVector.broadcast(SPECIES, EXP_5)
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
        sum.intoArray(state, stateOffset + stateStride);
    }

    @Override
    public void finishSoftmax(float[] state, int stateOffset, int stateStride) {
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
        FloatVector logSumExp = maximum.add(n).fma(FloatVector.broadcast(SPECIES, LN_2), log);
        FloatVector inverse = FloatVector.broadcast(SPECIES, 1f).div(sum);
        // A NaN among the scores makes the sum NaN, whose bits would give a finite logarithm.
        logSumExp
                .blend(sum, sum.compare(VectorOperators.NE, sum))
                .blend(Float.POSITIVE_INFINITY, sum.compare(VectorOperators.EQ, 0f))
                .intoArray(state, stateOffset);
        inverse.blend(0f, sum.compare(VectorOperators.EQ, 0f)).intoArray(state, stateOffset + stateStride);
    }

    @Override
    public void scoreGradients(
            float[] scores,
            int offset,
            float[] gradients,
            int gradientsOffset,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride) {
        FloatVector logSumExp2 = FloatVector.fromArray(SPECIES, state, stateOffset);
        FloatVector delta = FloatVector.fromArray(SPECIES, state, stateOffset + stateStride);
        for (int j = 0, s = offset, g = gradientsOffset; j < keys; j++, s += stride, g += stride) {
            // As in exponentiate.
            FloatVector x = FloatVector.fromArray(SPECIES, scores, s).sub(logSumExp2);
            FloatVector rounded = x.add(ROUNDER);
            FloatVector rest = x.sub(rounded.sub(ROUNDER));
            FloatVector power = rounded.reinterpretAsInts()
                    .lanewise(VectorOperators.LSHL, 23)
                    .reinterpretAsFloats();
            FloatVector p = FloatVector.broadcast(SPECIES, EXP_5)
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_4))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_3))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_2))
                    .fma(rest, FloatVector.broadcast(SPECIES, EXP_1))
                    .fma(rest, FloatVector.broadcast(SPECIES, 1f))
                    .mul(power)
                    .blend(0f, x.compare(VectorOperators.LT, SMALLEST_EXPONENT));
            p.intoArray(scores, s);
            // The product alone won't do: the gradient of a hidden key may be NaN.
            FloatVector.fromArray(SPECIES, gradients, g)
                    .sub(delta)
                    .mul(p)
                    .blend(0f, p.compare(VectorOperators.EQ, 0f))
                    .intoArray(gradients, g);
        }
    }

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
        FloatVector zeros = FloatVector.zero(SPECIES);
        for (int i = 0; i < rows; i++) {
            zeros = FloatVector.fromArray(SPECIES, x, offset + i * stride).fma(FloatVector.zero(SPECIES), zeros);
        }
        return zeros.compare(VectorOperators.EQ, 0f).allTrue();
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
        exponentiate(scores, offset, LANES, padded / LANES, scratch, scratchOffset, LANES);
        return sumOfLanes(scratch, scratchOffset + LANES);
    }
}
