// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import static org.fovea.backend.cpu.kernels.vector.VectorMath.SPECIES;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.LayerNormArgs;

/** Reductions, softmax and layer normalisation of rows at least one vector wide. */
final class VectorRows {
    private static final int LANES = SPECIES.length();
    private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, 8, 1, true);
    private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, 4, 1, true);
    private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, 2, 1, true);
    private static final VectorShuffle<Float> BY_1 = VectorShuffle.iota(SPECIES, 1, 1, true);

    /** Rows added up before their sum joins the total, which keeps rounding errors of long columns small. */
    private static final int ROWS_PER_SUM = 128;

    private VectorRows() {}

    /** Sum of the lanes, by halves: the library's reduction leaves the order open. */
    private static float fold(FloatVector v) {
        FloatVector s = v;
        if (LANES >= 16) {
            s = s.add(s.rearrange(BY_8));
        }
        if (LANES >= 8) {
            s = s.add(s.rearrange(BY_4));
        }
        if (LANES >= 4) {
            s = s.add(s.rearrange(BY_2));
        }
        if (LANES >= 2) {
            s = s.add(s.rearrange(BY_1));
        }
        return s.lane(0);
    }

    static float sum(float[] x, int xo, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - 4 * LANES; i += 4 * LANES) {
            s0 = s0.add(FloatVector.fromArray(SPECIES, x, xo + i));
            s1 = s1.add(FloatVector.fromArray(SPECIES, x, xo + i + LANES));
            s2 = s2.add(FloatVector.fromArray(SPECIES, x, xo + i + 2 * LANES));
            s3 = s3.add(FloatVector.fromArray(SPECIES, x, xo + i + 3 * LANES));
        }
        for (; i <= n - LANES; i += LANES) {
            s0 = s0.add(FloatVector.fromArray(SPECIES, x, xo + i));
        }
        float sum = fold(s0.add(s1).add(s2.add(s3)));
        for (; i < n; i++) {
            sum += x[xo + i];
        }
        return sum;
    }

    static float sumOfSquares(float[] x, int xo, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i <= n - 4 * LANES; i += 4 * LANES) {
            FloatVector v0 = FloatVector.fromArray(SPECIES, x, xo + i);
            FloatVector v1 = FloatVector.fromArray(SPECIES, x, xo + i + LANES);
            FloatVector v2 = FloatVector.fromArray(SPECIES, x, xo + i + 2 * LANES);
            FloatVector v3 = FloatVector.fromArray(SPECIES, x, xo + i + 3 * LANES);
            s0 = v0.fma(v0, s0);
            s1 = v1.fma(v1, s1);
            s2 = v2.fma(v2, s2);
            s3 = v3.fma(v3, s3);
        }
        for (; i <= n - LANES; i += LANES) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, xo + i);
            s0 = v.fma(v, s0);
        }
        float sum = fold(s0.add(s1).add(s2.add(s3)));
        for (; i < n; i++) {
            sum = Math.fma(x[xo + i], x[xo + i], sum);
        }
        return sum;
    }

    static float max(float[] x, int xo, int n) {
        FloatVector m = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i <= n - LANES; i += LANES) {
            m = m.max(FloatVector.fromArray(SPECIES, x, xo + i));
        }
        float max = m.reduceLanes(VectorOperators.MAX);
        for (; i < n; i++) {
            max = Math.max(max, x[xo + i]);
        }
        return max;
    }

    /** Adds up the rows of x [rows, width], whose width is a multiple of the lanes. */
    static void sumRows(int rows, int width, float[] x, int xo, float[] y, int yo) {
        Arrays.fill(y, yo, yo + width, 0f);
        for (int first = 0; first < rows; first += ROWS_PER_SUM) {
            int count = Math.min(ROWS_PER_SUM, rows - first);
            int column = 0;
            for (; column <= width - 4 * LANES; column += 4 * LANES) {
                addRows4(count, width, x, xo + first * width + column, y, yo + column);
            }
            for (; column < width; column += LANES) {
                addRows(count, width, x, xo + first * width + column, y, yo + column);
            }
        }
    }

    private static void addRows4(int rows, int width, float[] x, int xo, float[] y, int yo) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        for (int r = 0; r < rows; r++) {
            int at = xo + r * width;
            s0 = s0.add(FloatVector.fromArray(SPECIES, x, at));
            s1 = s1.add(FloatVector.fromArray(SPECIES, x, at + LANES));
            s2 = s2.add(FloatVector.fromArray(SPECIES, x, at + 2 * LANES));
            s3 = s3.add(FloatVector.fromArray(SPECIES, x, at + 3 * LANES));
        }
        s0.add(FloatVector.fromArray(SPECIES, y, yo)).intoArray(y, yo);
        s1.add(FloatVector.fromArray(SPECIES, y, yo + LANES)).intoArray(y, yo + LANES);
        s2.add(FloatVector.fromArray(SPECIES, y, yo + 2 * LANES)).intoArray(y, yo + 2 * LANES);
        s3.add(FloatVector.fromArray(SPECIES, y, yo + 3 * LANES)).intoArray(y, yo + 3 * LANES);
    }

    private static void addRows(int rows, int width, float[] x, int xo, float[] y, int yo) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int r = 0; r < rows; r++) {
            sum = sum.add(FloatVector.fromArray(SPECIES, x, xo + r * width));
        }
        sum.add(FloatVector.fromArray(SPECIES, y, yo)).intoArray(y, yo);
    }

    /** Layer normalisation of row {@code r}, whose width is a multiple of the lanes. */
    static void layerNorm(LayerNormArgs<CpuArray> args, int r, float epsilon, CpuArray shift, CpuArray to) {
        int width = args.width();
        float[] x = args.x().floats;
        float[] gain = args.gain().floats;
        float[] bias = shift.floats;
        float[] y = to.floats;
        int xo = args.x().offset + r * width;
        int go = args.gain().offset;
        int bo = shift.offset;
        int yo = to.offset + r * width;
        float mean = sum(x, xo, width) / width;
        FloatVector squares = FloatVector.zero(SPECIES);
        for (int i = 0; i < width; i += LANES) {
            FloatVector centred = FloatVector.fromArray(SPECIES, x, xo + i).sub(mean);
            squares = centred.fma(centred, squares);
        }
        float scale = 1f / (float) Math.sqrt(fold(squares) / width + epsilon);
        for (int i = 0; i < width; i += LANES) {
            FloatVector.fromArray(SPECIES, x, xo + i)
                    .sub(mean)
                    .mul(scale)
                    .fma(FloatVector.fromArray(SPECIES, gain, go + i), FloatVector.fromArray(SPECIES, bias, bo + i))
                    .intoArray(y, yo + i);
        }
        args.mean().floats[args.mean().offset + r] = mean;
        args.reciprocalStd().floats[args.reciprocalStd().offset + r] = scale;
    }

    /** Gradient of layer normalisation for row {@code r}, whose width is a multiple of the lanes; adds to dGain and dBias. */
    static void layerNormBackward(
            LayerNormArgs<CpuArray> args, int r, CpuArray upstream, CpuArray to, CpuArray toGain, CpuArray toBias) {
        int width = args.width();
        float[] x = args.x().floats;
        float[] gain = args.gain().floats;
        float[] dy = upstream.floats;
        float[] dx = to.floats;
        float[] dGain = toGain.floats;
        float[] dBias = toBias.floats;
        int xo = args.x().offset + r * width;
        int go = args.gain().offset;
        int dyo = upstream.offset + r * width;
        int dxo = to.offset + r * width;
        int dgo = toGain.offset;
        int dbo = toBias.offset;
        float mean = args.mean().floats[args.mean().offset + r];
        float scale = args.reciprocalStd().floats[args.reciprocalStd().offset + r];
        FloatVector sum = FloatVector.zero(SPECIES);
        FloatVector along = sum;
        for (int i = 0; i < width; i += LANES) {
            FloatVector normal =
                    FloatVector.fromArray(SPECIES, x, xo + i).sub(mean).mul(scale);
            FloatVector d = FloatVector.fromArray(SPECIES, dy, dyo + i);
            FloatVector dNormal = d.mul(FloatVector.fromArray(SPECIES, gain, go + i));
            sum = sum.add(dNormal);
            along = dNormal.fma(normal, along);
            d.fma(normal, FloatVector.fromArray(SPECIES, dGain, dgo + i)).intoArray(dGain, dgo + i);
            d.add(FloatVector.fromArray(SPECIES, dBias, dbo + i)).intoArray(dBias, dbo + i);
        }
        FloatVector average = FloatVector.broadcast(SPECIES, -fold(sum) / width);
        FloatVector slope = FloatVector.broadcast(SPECIES, -fold(along) / width);
        for (int i = 0; i < width; i += LANES) {
            FloatVector normal =
                    FloatVector.fromArray(SPECIES, x, xo + i).sub(mean).mul(scale);
            FloatVector d = FloatVector.fromArray(SPECIES, dy, dyo + i);
            FloatVector dNormal = d.fma(FloatVector.fromArray(SPECIES, gain, go + i), average);
            normal.fma(slope, dNormal).mul(scale).intoArray(dx, dxo + i);
        }
    }

    /** Softmax of one row, given its finite maximum. */
    static void softmax(int width, float max, float[] x, int xo, float[] y, int yo) {
        FloatVector sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= width - LANES; i += LANES) {
            FloatVector e =
                    VectorMath.exp(FloatVector.fromArray(SPECIES, x, xo + i).sub(max));
            e.intoArray(y, yo + i);
            sums = sums.add(e);
        }
        float sum = fold(sums);
        if (i < width) {
            float[] rest = new float[LANES];
            Arrays.fill(rest, Float.NEGATIVE_INFINITY);
            System.arraycopy(x, xo + i, rest, 0, width - i);
            FloatVector e =
                    VectorMath.exp(FloatVector.fromArray(SPECIES, rest, 0).sub(max));
            e.intoArray(rest, 0);
            System.arraycopy(rest, 0, y, yo + i, width - i);
            sum += fold(e);
        }
        float scale = 1f / sum;
        for (i = 0; i <= width - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, y, yo + i).mul(scale).intoArray(y, yo + i);
        }
        for (; i < width; i++) {
            y[yo + i] *= scale;
        }
    }

    /** Sum of {@code exp(x - max)} over a row. */
    static float sumOfExponentials(int width, float max, float[] x, int xo) {
        FloatVector sums = FloatVector.zero(SPECIES);
        int i = 0;
        for (; i <= width - LANES; i += LANES) {
            sums = sums.add(
                    VectorMath.exp(FloatVector.fromArray(SPECIES, x, xo + i).sub(max)));
        }
        float sum = fold(sums);
        if (i < width) {
            float[] rest = new float[LANES];
            Arrays.fill(rest, Float.NEGATIVE_INFINITY);
            System.arraycopy(x, xo + i, rest, 0, width - i);
            sum += fold(VectorMath.exp(FloatVector.fromArray(SPECIES, rest, 0).sub(max)));
        }
        return sum;
    }

    /** {@code y = x - shift} over a row. */
    static void subtract(int width, float shift, float[] x, int xo, float[] y, int yo) {
        int i = 0;
        for (; i <= width - LANES; i += LANES) {
            FloatVector.fromArray(SPECIES, x, xo + i).sub(shift).intoArray(y, yo + i);
        }
        for (; i < width; i++) {
            y[yo + i] = x[xo + i] - shift;
        }
    }

    /**
     * Inner products of {@code rows} rows of a, {@code stepA} apart, with one of b.
     *
     * @param lanes scratch, a vector for each row
     */
    static void dots(
            int rows, int width, float[] a, int ao, int stepA, float[] b, int bo, float[] lanes, float[] sums) {
        int tail = SPECIES.loopBound(width);
        for (int r = 0; r < rows; r++) {
            int row = ao + r * stepA;
            FloatVector s0 = FloatVector.zero(SPECIES);
            FloatVector s1 = s0;
            int i = 0;
            for (; i <= width - 2 * LANES; i += 2 * LANES) {
                s0 = FloatVector.fromArray(SPECIES, a, row + i).fma(FloatVector.fromArray(SPECIES, b, bo + i), s0);
                s1 = FloatVector.fromArray(SPECIES, a, row + i + LANES)
                        .fma(FloatVector.fromArray(SPECIES, b, bo + i + LANES), s1);
            }
            for (; i <= width - LANES; i += LANES) {
                s0 = FloatVector.fromArray(SPECIES, a, row + i).fma(FloatVector.fromArray(SPECIES, b, bo + i), s0);
            }
            s0.add(s1).intoArray(lanes, r * LANES);
        }
        for (int r = 0; r < rows; r++) {
            float sum = LANES == 16 ? foldOf16(lanes, r * 16) : fold(FloatVector.fromArray(SPECIES, lanes, r * LANES));
            for (int i = tail; i < width; i++) {
                sum = Math.fma(a[ao + r * stepA + i], b[bo + i], sum);
            }
            sums[r] = sum;
        }
    }

    /** {@link #fold} of 16 lanes in memory, in the same order: a shuffle checks its indices, which takes longer. */
    private static float foldOf16(float[] v, int at) {
        float even = v[at] + v[at + 8] + (v[at + 4] + v[at + 12]) + (v[at + 2] + v[at + 10] + (v[at + 6] + v[at + 14]));
        float odd =
                v[at + 1] + v[at + 9] + (v[at + 5] + v[at + 13]) + (v[at + 3] + v[at + 11] + (v[at + 7] + v[at + 15]));
        return even + odd;
    }
}
