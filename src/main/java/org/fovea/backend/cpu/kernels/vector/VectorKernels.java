package org.fovea.backend.cpu.kernels.vector;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.DoubleKernels;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.jspecify.annotations.Nullable;

/** Kernels on the widest vectors that the machine prefers. */
public final class VectorKernels implements Kernels {
    private static final int LANES = FloatVector.SPECIES_PREFERRED.length();

    private final Kernels scalar;

    /**
     * For the look-up by name.
     *
     * @param scalar does what has no vector form
     */
    public VectorKernels(Kernels scalar) {
        this.scalar = scalar;
    }

    @Override
    public String description() {
        return LANES + " lanes";
    }

    @Override
    public DoubleKernels doubles() {
        return new VectorDoubleKernels();
    }

    @Override
    public AttentionKernels attention() {
        return new VectorAttentionKernels();
    }

    @Override
    public void map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n) {
        int done = VectorMap.map(op, x, xo, y, yo, n);
        if (done < n) {
            scalar.map(op, x, xo + done, y, yo + done, n - done);
        }
    }

    @Override
    public void zip(BinaryOp op, float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int n) {
        int done = VectorZip.zip(op, a, ao, stepA, b, bo, stepB, y, yo, n);
        if (done < n) {
            scalar.zip(op, a, ao + done * stepA, stepA, b, bo + done * stepB, stepB, y, yo + done, n - done);
        }
    }

    @Override
    public void reduce(ReduceOp op, int reduced, int inner, float[] x, int xo, float[] y, int yo) {
        if (op == ReduceOp.SUM && inner == 1 && reduced >= LANES) {
            y[yo] = VectorRows.sum(x, xo, reduced);
        } else if (op == ReduceOp.MAX && inner == 1 && reduced >= LANES) {
            y[yo] = VectorRows.max(x, xo, reduced);
        } else if (op == ReduceOp.SUM && inner % LANES == 0) {
            VectorRows.sumRows(reduced, inner, x, xo, y, yo);
        } else {
            scalar.reduce(op, reduced, inner, x, xo, y, yo);
        }
    }

    @Override
    public void gemm(
            Gemm g, int index, int firstRow, int lastRow, float[] a, int ao, float[] b, int bo, float[] c, int co) {
        int rowStep = g.transposeA() ? 1 : g.lda();
        int c0 = co + Math.toIntExact(index * g.strideC()) + firstRow * g.ldc();
        if (g.beta() != 0f && g.beta() != 1f) {
            float[] beta = {g.beta()};
            for (int i = 0; i < lastRow - firstRow; i++) {
                zip(BinaryOp.MULTIPLY, c, c0 + i * g.ldc(), 1, beta, 0, 0, c, c0 + i * g.ldc(), g.n());
            }
        }
        VectorGemm.multiply(
                lastRow - firstRow,
                g.n(),
                g.k(),
                a,
                ao + Math.toIntExact(index * g.strideA()) + firstRow * rowStep,
                rowStep,
                g.transposeA() ? g.lda() : 1,
                b,
                bo + Math.toIntExact(index * g.strideB()),
                g.ldb(),
                g.transposeB(),
                g.alpha(),
                g.beta() == 0f ? VectorGemm.Start.ZERO : new VectorGemm.Start(c, c0, g.ldc(), 1),
                c,
                c0,
                g.ldc());
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
        VectorGemm.Start start = bias == null ? VectorGemm.Start.ZERO : new VectorGemm.Start(bias, bo, 0, 1);
        VectorGemm.multiply(rows, out, in, x, xo, in, 1, weight, wo, out, false, 1f, start, y, yo, out);
        switch (activation) {
            case NONE -> {}
            case TANH -> map(UnaryOp.TANH, y, yo, y, yo, rows * out);
            case RELU -> map(UnaryOp.RELU, y, yo, y, yo, rows * out);
            case SIGMOID -> map(UnaryOp.SIGMOID, y, yo, y, yo, rows * out);
        }
    }

    @Override
    public void softmax(int rows, int width, float[] x, int xo, float[] y, int yo) {
        if (width < LANES) {
            scalar.softmax(rows, width, x, xo, y, yo);
            return;
        }
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            int to = yo + r * width;
            float max = VectorRows.max(x, from, width);
            if (max == Float.NEGATIVE_INFINITY) {
                Arrays.fill(y, to, to + width, 0f);
            } else {
                VectorRows.softmax(width, max, x, from, y, to);
            }
        }
    }

    @Override
    public void logSoftmax(int rows, int width, float[] x, int xo, float[] y, int yo) {
        if (width < LANES) {
            scalar.logSoftmax(rows, width, x, xo, y, yo);
            return;
        }
        float[] sums = new float[rows];
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            float max = VectorRows.max(x, from, width);
            sums[r] = VectorRows.sumOfExponentials(width, max, x, from);
            VectorRows.subtract(width, max, x, from, y, yo + r * width);
        }
        map(UnaryOp.LOG, sums, 0, sums, 0, rows);
        for (int r = 0; r < rows; r++) {
            VectorRows.subtract(width, sums[r], y, yo + r * width, y, yo + r * width);
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
        if (width % LANES != 0) {
            scalar.layerNorm(rows, width, epsilon, x, xo, gain, go, bias, bo, y, yo, mean, mo, reciprocalStd, ro);
            return;
        }
        for (int r = 0; r < rows; r++) {
            int from = xo + r * width;
            float m = VectorRows.sum(x, from, width) / width;
            mean[mo + r] = m;
            reciprocalStd[ro + r] =
                    VectorRows.layerNorm(width, epsilon, x, from, m, gain, go, bias, bo, y, yo + r * width);
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
        if (width % LANES != 0) {
            scalar.layerNormBackward(
                    rows,
                    width,
                    x,
                    xo,
                    gain,
                    go,
                    mean,
                    mo,
                    reciprocalStd,
                    ro,
                    dy,
                    dyo,
                    dx,
                    dxo,
                    dGain,
                    dgo,
                    dBias,
                    dbo);
            return;
        }
        Arrays.fill(dGain, dgo, dgo + width, 0f);
        Arrays.fill(dBias, dbo, dbo + width, 0f);
        for (int r = 0; r < rows; r++) {
            int row = r * width;
            VectorRows.layerNormBackward(
                    width,
                    x,
                    xo + row,
                    gain,
                    go,
                    mean[mo + r],
                    reciprocalStd[ro + r],
                    dy,
                    dyo + row,
                    dx,
                    dxo + row,
                    dGain,
                    dgo,
                    dBias,
                    dbo);
        }
    }

    @Override
    public float sumOfSquares(float[] x, int xo, int n) {
        return VectorRows.sumOfSquares(x, xo, n);
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
        int done = VectorAdam.update(u, n, gradient, go, first, fo, second, so, theta, to);
        if (done < n) {
            scalar.adam(u, n - done, gradient, go + done, first, fo + done, second, so + done, theta, to + done);
        }
    }
}
