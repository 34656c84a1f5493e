// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.scalar;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.jspecify.annotations.Nullable;

/** Plain loops: all there is without the vector module, and what needs no vectors with it. */
public final class ScalarKernels implements Kernels {

    @Override
    public String description() {
        return "scalar";
    }

    @Override
    public DoubleKernels doubles() {
        return new ScalarDoubleKernels();
    }

    @Override
    public AttentionKernels attention() {
        return new ScalarAttentionKernels();
    }

    @Override
    public void map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n) {
        ScalarElementwise.map(op, x, xo, y, yo, n);
    }

    @Override
    public void zip(BinaryOp op, float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int n) {
        ScalarElementwise.zip(op, a, ao, stepA, b, bo, stepB, y, yo, n);
    }

    @Override
    public void reduce(ReduceOp op, int reduced, int inner, float[] x, int xo, float[] y, int yo) {
        for (int i = 0; i < inner; i++) {
            y[yo + i] = op == ReduceOp.SUM ? 0f : Float.NEGATIVE_INFINITY;
        }
        if (inner == 1) {
            y[yo] = op == ReduceOp.SUM ? sum(x, xo, reduced) : max(x, xo, reduced);
            return;
        }
        for (int r = 0; r < reduced; r++) {
            for (int i = 0; i < inner; i++) {
                float element = x[xo + r * inner + i];
                y[yo + i] = op == ReduceOp.SUM ? y[yo + i] + element : Math.max(y[yo + i], element);
            }
        }
    }

    private static float max(float[] x, int xo, int n) {
        float max = Float.NEGATIVE_INFINITY;
        for (int i = 0; i < n; i++) {
            max = Math.max(max, x[xo + i]);
        }
        return max;
    }

    /** Eight partial sums, folded as a tree: faster than one chain, and less rounding. */
    private static float sum(float[] x, int xo, int n) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
        int i = 0;
        for (; i <= n - 8; i += 8) {
            s0 += x[xo + i];
            s1 += x[xo + i + 1];
            s2 += x[xo + i + 2];
            s3 += x[xo + i + 3];
            s4 += x[xo + i + 4];
            s5 += x[xo + i + 5];
            s6 += x[xo + i + 6];
            s7 += x[xo + i + 7];
        }
        float rest = 0;
        for (; i < n; i++) {
            rest += x[xo + i];
        }
        return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7)) + rest;
    }

    @Override
    public float sumOfSquares(float[] x, int xo, int n) {
        float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        int i = 0;
        for (; i <= n - 4; i += 4) {
            s0 += x[xo + i] * x[xo + i];
            s1 += x[xo + i + 1] * x[xo + i + 1];
            s2 += x[xo + i + 2] * x[xo + i + 2];
            s3 += x[xo + i + 3] * x[xo + i + 3];
        }
        float rest = 0;
        for (; i < n; i++) {
            rest += x[xo + i] * x[xo + i];
        }
        return (s0 + s2) + (s1 + s3) + rest;
    }

    @Override
    public void gemm(Gemm g, int index, int firstRow, int lastRow, CpuArray left, CpuArray right, CpuArray to) {
        float[] a = left.floats;
        float[] b = right.floats;
        float[] c = to.floats;
        int firstA = left.offset + Math.toIntExact(index * g.strideA());
        int firstB = right.offset + Math.toIntExact(index * g.strideB());
        int firstC = to.offset + Math.toIntExact(index * g.strideC());
        int stepRowA = g.transposeA() ? 1 : g.lda();
        int stepKA = g.transposeA() ? g.lda() : 1;
        float[] row = new float[g.n()];
        for (int i = firstRow; i < lastRow; i++) {
            int rowA = firstA + i * stepRowA;
            int rowC = firstC + i * g.ldc();
            if (g.transposeB()) {
                for (int j = 0; j < g.n(); j++) {
                    float s = 0;
                    for (int p = 0; p < g.k(); p++) {
                        s = Math.fma(a[rowA + p * stepKA], b[firstB + j * g.ldb() + p], s);
                    }
                    row[j] = s;
                }
            } else {
                Arrays.fill(row, 0f);
                for (int p = 0; p < g.k(); p++) {
                    float element = a[rowA + p * stepKA];
                    int rowB = firstB + p * g.ldb();
                    for (int j = 0; j < g.n(); j++) {
                        row[j] = Math.fma(element, b[rowB + j], row[j]);
                    }
                }
            }
            for (int j = 0; j < g.n(); j++) {
                float product = g.alpha() * row[j];
                c[rowC + j] = g.beta() == 0 ? product : Math.fma(g.beta(), c[rowC + j], product);
            }
        }
    }

    @Override
    public void linear(
            int firstRow,
            int rows,
            int in,
            int out,
            CpuArray x,
            CpuArray weight,
            @Nullable CpuArray bias,
            Activation activation,
            CpuArray y) {
        float[] to = y.floats;
        for (int r = firstRow; r < firstRow + rows; r++) {
            int row = y.offset + r * out;
            for (int j = 0; j < out; j++) {
                to[row + j] = bias == null ? 0f : bias.floats[bias.offset + j];
            }
            for (int p = 0; p < in; p++) {
                float element = x.floats[x.offset + r * in + p];
                int rowW = weight.offset + p * out;
                for (int j = 0; j < out; j++) {
                    to[row + j] = Math.fma(element, weight.floats[rowW + j], to[row + j]);
                }
            }
        }
        UnaryOp function = activation.function();
        if (function != null) {
            int first = y.offset + firstRow * out;
            map(function, to, first, to, first, rows * out);
        }
    }

    @Override
    public void softmax(int rows, int width, float[] x, int xo, float[] y, int yo) {
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            int to = yo + r * width;
            float max = max(x, from, width);
            if (max == Float.NEGATIVE_INFINITY) {
                Arrays.fill(y, to, to + width, 0f);
                continue;
            }
            for (int i = 0; i < width; i++) {
                y[to + i] = ScalarMath.exp(x[from + i] - max);
            }
            float scale = 1f / sum(y, to, width);
            for (int i = 0; i < width; i++) {
                y[to + i] *= scale;
            }
        }
    }

    @Override
    public void logSoftmax(int rows, int width, float[] x, int xo, float[] y, int yo) {
        float[] exponentials = new float[width];
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            int to = yo + r * width;
            float max = max(x, from, width);
            for (int i = 0; i < width; i++) {
                exponentials[i] = ScalarMath.exp(x[from + i] - max);
            }
            float logSum = ScalarMath.log(sum(exponentials, 0, width));
            for (int i = 0; i < width; i++) {
                y[to + i] = (x[from + i] - max) - logSum;
            }
        }
    }

    @Override
    public void layerNorm(
            LayerNormArgs<CpuArray> args, int firstRow, int rows, float epsilon, CpuArray bias, CpuArray y) {
        int width = args.width();
        CpuArray x = args.x();
        CpuArray gain = args.gain();
        for (int r = firstRow; r < firstRow + rows; r++) {
            int from = x.offset + r * width;
            int to = y.offset + r * width;
            float m = sum(x.floats, from, width) / width;
            // Centred numbers are kept where the results will be: y may be x, which is read no more.
            for (int i = 0; i < width; i++) {
                y.floats[to + i] = x.floats[from + i] - m;
            }
            float s = 1f / (float) Math.sqrt(sumOfSquares(y.floats, to, width) / width + epsilon);
            for (int i = 0; i < width; i++) {
                y.floats[to + i] =
                        Math.fma(y.floats[to + i] * s, gain.floats[gain.offset + i], bias.floats[bias.offset + i]);
            }
            args.mean().floats[args.mean().offset + r] = m;
            args.reciprocalStd().floats[args.reciprocalStd().offset + r] = s;
        }
    }

    @Override
    public void layerNormBackward(
            LayerNormArgs<CpuArray> args, CpuArray dy, CpuArray dx, CpuArray dGain, CpuArray dBias) {
        int width = args.width();
        CpuArray x = args.x();
        CpuArray gain = args.gain();
        Arrays.fill(dGain.floats, dGain.offset, dGain.offset + width, 0f);
        Arrays.fill(dBias.floats, dBias.offset, dBias.offset + width, 0f);
        float[] normalised = new float[width];
        float[] scaled = new float[width];
        float[] product = new float[width];
        for (int r = 0; r < args.rows(); r++) {
            float s = args.reciprocalStd().floats[args.reciprocalStd().offset + r];
            float m = args.mean().floats[args.mean().offset + r];
            for (int i = 0; i < width; i++) {
                float n = (x.floats[x.offset + r * width + i] - m) * s;
                float d = dy.floats[dy.offset + r * width + i];
                normalised[i] = n;
                scaled[i] = d * gain.floats[gain.offset + i];
                product[i] = scaled[i] * n;
                dGain.floats[dGain.offset + i] = Math.fma(d, n, dGain.floats[dGain.offset + i]);
                dBias.floats[dBias.offset + i] += d;
            }
            float meanScaled = sum(scaled, 0, width) / width;
            float meanProduct = sum(product, 0, width) / width;
            for (int i = 0; i < width; i++) {
                dx.floats[dx.offset + r * width + i] = s * (scaled[i] - meanScaled - normalised[i] * meanProduct);
            }
        }
    }

    @Override
    public void adam(
            AdamUpdate u,
            int from,
            int n,
            CpuArray gradient,
            CpuArray firstMoment,
            CpuArray secondMoment,
            CpuArray theta) {
        float[] first = firstMoment.floats;
        float[] second = secondMoment.floats;
        int fo = firstMoment.offset;
        int so = secondMoment.offset;
        for (int i = from; i < from + n; i++) {
            float g = u.gradientScale() * gradient.floats[gradient.offset + i];
            float m = u.beta1() * first[fo + i] + (1f - u.beta1()) * g;
            float v = u.beta2() * second[so + i] + (1f - u.beta2()) * g * g;
            first[fo + i] = m;
            second[so + i] = v;
            theta.floats[theta.offset + i] -= u.rate() * m / ((float) Math.sqrt(v) * u.secondScale() + u.epsilon());
        }
    }
}
