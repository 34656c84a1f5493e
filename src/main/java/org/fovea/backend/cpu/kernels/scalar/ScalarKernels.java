package org.fovea.backend.cpu.kernels.scalar;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
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
    public void gemm(
            Gemm g, int index, int firstRow, int lastRow, float[] a, int ao, float[] b, int bo, float[] c, int co) {
        int firstA = ao + Math.toIntExact(index * g.strideA());
        int firstB = bo + Math.toIntExact(index * g.strideB());
        int firstC = co + Math.toIntExact(index * g.strideC());
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
            int rows,
            int in,
            int out,
            float[] x,
            int xo,
            float[] weight,
            int wo,
            float @Nullable [] bias,
            int bo,
            Activation activation,
            float[] y,
            int yo) {
        for (int r = 0; r < rows; r++) {
            int row = yo + r * out;
            for (int j = 0; j < out; j++) {
                y[row + j] = bias == null ? 0f : bias[bo + j];
            }
            for (int p = 0; p < in; p++) {
                float element = x[xo + r * in + p];
                int rowW = wo + p * out;
                for (int j = 0; j < out; j++) {
                    y[row + j] = Math.fma(element, weight[rowW + j], y[row + j]);
                }
            }
        }
        switch (activation) {
            case NONE -> {}
            case TANH -> map(UnaryOp.TANH, y, yo, y, yo, rows * out);
            case RELU -> map(UnaryOp.RELU, y, yo, y, yo, rows * out);
            case SIGMOID -> map(UnaryOp.SIGMOID, y, yo, y, yo, rows * out);
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
            int rows,
            int width,
            float epsilon,
            float[] x,
            int xo,
            float[] gain,
            int go,
            float[] bias,
            int bo,
            float[] y,
            int yo,
            float[] mean,
            int mo,
            float[] reciprocalStd,
            int ro) {
        float[] centred = new float[width];
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            int to = yo + r * width;
            float m = sum(x, from, width) / width;
            for (int i = 0; i < width; i++) {
                centred[i] = x[from + i] - m;
            }
            float s = 1f / (float) Math.sqrt(sumOfSquares(centred, 0, width) / width + epsilon);
            for (int i = 0; i < width; i++) {
                y[to + i] = Math.fma(centred[i] * s, gain[go + i], bias[bo + i]);
            }
            mean[mo + r] = m;
            reciprocalStd[ro + r] = s;
        }
    }

    @Override
    public void layerNormBackward(
            int rows,
            int width,
            float[] x,
            int xo,
            float[] gain,
            int go,
            float[] mean,
            int mo,
            float[] reciprocalStd,
            int ro,
            float[] dy,
            int dyo,
            float[] dx,
            int dxo,
            float[] dGain,
            int dgo,
            float[] dBias,
            int dbo) {
        Arrays.fill(dGain, dgo, dgo + width, 0f);
        Arrays.fill(dBias, dbo, dbo + width, 0f);
        float[] normalised = new float[width];
        float[] scaled = new float[width];
        float[] product = new float[width];
        for (int r = 0; r < rows; r++) {
            float s = reciprocalStd[ro + r];
            float m = mean[mo + r];
            for (int i = 0; i < width; i++) {
                float n = (x[xo + r * width + i] - m) * s;
                float d = dy[dyo + r * width + i];
                normalised[i] = n;
                scaled[i] = d * gain[go + i];
                product[i] = scaled[i] * n;
                dGain[dgo + i] = Math.fma(d, n, dGain[dgo + i]);
                dBias[dbo + i] += d;
            }
            float meanScaled = sum(scaled, 0, width) / width;
            float meanProduct = sum(product, 0, width) / width;
            for (int i = 0; i < width; i++) {
                dx[dxo + r * width + i] = s * (scaled[i] - meanScaled - normalised[i] * meanProduct);
            }
        }
    }

    @Override
    public void adam(
            AdamUpdate u,
            int n,
            float[] gradient,
            int go,
            float[] first,
            int fo,
            float[] second,
            int so,
            float[] theta,
            int to) {
        for (int i = 0; i < n; i++) {
            float g = u.gradientScale() * gradient[go + i];
            float m = u.beta1() * first[fo + i] + (1f - u.beta1()) * g;
            float v = u.beta2() * second[so + i] + (1f - u.beta2()) * g * g;
            first[fo + i] = m;
            second[so + i] = v;
            theta[to + i] -= u.rate() * m / ((float) Math.sqrt(v) * u.secondScale() + u.epsilon());
        }
    }
}
