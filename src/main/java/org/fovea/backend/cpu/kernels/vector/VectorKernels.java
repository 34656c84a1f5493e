// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import java.util.Arrays;
import jdk.incubator.vector.FloatVector;
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
    public void gemm(Gemm g, int index, int firstRow, int lastRow, CpuArray a, CpuArray b, CpuArray c) {
        int rowStep = g.transposeA() ? 1 : g.lda();
        int c0 = c.offset + Math.toIntExact(index * g.strideC()) + firstRow * g.ldc();
        if (g.beta() != 0f && g.beta() != 1f) {
            float[] beta = {g.beta()};
            for (int i = 0; i < lastRow - firstRow; i++) {
                int row = c0 + i * g.ldc();
                zip(BinaryOp.MULTIPLY, c.floats, row, 1, beta, 0, 0, c.floats, row, g.n());
            }
        }
        VectorGemm.multiply(
                lastRow - firstRow,
                g.n(),
                g.k(),
                a.floats,
                a.offset + Math.toIntExact(index * g.strideA()) + firstRow * rowStep,
                rowStep,
                g.transposeA() ? g.lda() : 1,
                b.floats,
                b.offset + Math.toIntExact(index * g.strideB()),
                g.ldb(),
                g.transposeB(),
                g.alpha(),
                g.beta() == 0f ? null : c.floats,
                c0,
                g.ldc(),
                c.floats,
                c0,
                g.ldc());
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
        int from = x.offset + firstRow * in;
        int to = y.offset + firstRow * out;
        VectorGemm.multiply(
                rows,
                out,
                in,
                x.floats,
                from,
                in,
                1,
                weight.floats,
                weight.offset,
                out,
                false,
                1f,
                bias == null ? null : bias.floats,
                bias == null ? 0 : bias.offset,
                0,
                y.floats,
                to,
                out);
        UnaryOp function = activation.function();
        if (function != null) {
            map(function, y.floats, to, y.floats, to, rows * out);
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
            LayerNormArgs<CpuArray> args, int firstRow, int rows, float epsilon, CpuArray bias, CpuArray y) {
        if (args.width() % LANES != 0) {
            scalar.layerNorm(args, firstRow, rows, epsilon, bias, y);
            return;
        }
        for (int r = firstRow; r < firstRow + rows; r++) {
            VectorRows.layerNorm(args, r, epsilon, bias, y);
        }
    }

    @Override
    public void layerNormBackward(
            LayerNormArgs<CpuArray> args, CpuArray dy, CpuArray dx, CpuArray dGain, CpuArray dBias) {
        if (args.width() % LANES != 0) {
            scalar.layerNormBackward(args, dy, dx, dGain, dBias);
            return;
        }
        Arrays.fill(dGain.floats, dGain.offset, dGain.offset + args.width(), 0f);
        Arrays.fill(dBias.floats, dBias.offset, dBias.offset + args.width(), 0f);
        for (int r = 0; r < args.rows(); r++) {
            VectorRows.layerNormBackward(args, r, dy, dx, dGain, dBias);
        }
    }

    @Override
    public float sumOfSquares(float[] x, int xo, int n) {
        return VectorRows.sumOfSquares(x, xo, n);
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
        int done = VectorAdam.update(u, from, n, gradient, firstMoment, secondMoment, theta);
        if (done < n) {
            scalar.adam(u, from + done, n - done, gradient, firstMoment, secondMoment, theta);
        }
    }
}
