// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.jspecify.annotations.Nullable;

/**
 * The inner loops. Arguments were checked by the caller; where a kernel takes parts of arrays, an array and the offset of its
 * first element stand side by side.
 * Every method runs on the calling thread and gives the same bits each time, compiled or interpreted.
 *
 * <p>Public only because an implementation lives in another package.
 */
public interface Kernels {

    /** What does the work, for people: lanes and instruction set. */
    String description();

    /** The kernels of attention that go with these. */
    AttentionKernels attention();

    /** The kernels of attention in float64 that go with these. */
    DoubleKernels doubles();

    /** {@code y[i] = op(x[i])} for i below n. */
    void map(UnaryOp op, float[] x, int xo, float[] y, int yo, int n);

    /** {@code y[i] = op(a[i stepA], b[i stepB])} for i below n; steps are 0 or 1. */
    void zip(BinaryOp op, float[] a, int ao, int stepA, float[] b, int bo, int stepB, float[] y, int yo, int n);

    /** {@code y[i] = op over r of x[r, i]}, x [reduced, inner]. */
    void reduce(ReduceOp op, int reduced, int inner, float[] x, int xo, float[] y, int yo);

    /** Rows {@code [firstRow, lastRow)} of product {@code index} of a batch. */
    void gemm(Gemm shape, int index, int firstRow, int lastRow, CpuArray a, CpuArray b, CpuArray c);

    /** {@code y = activation(x W + bias)} of rows {@code [firstRow, firstRow + rows)}: x [.., in], W [in, out], y [.., out]. */
    void linear(
            int firstRow,
            int rows,
            int in,
            int out,
            CpuArray x,
            CpuArray weight,
            @Nullable CpuArray bias,
            Activation activation,
            CpuArray y);

    /** Softmax of each row, x and y [rows, width]. */
    void softmax(int rows, int width, float[] x, int xo, float[] y, int yo);

    /** Log softmax of each row, x and y [rows, width]. */
    void logSoftmax(int rows, int width, float[] x, int xo, float[] y, int yo);

    /** Layer normalisation of {@code rows} rows from {@code firstRow} on; y, mean and reciprocalStd are written. */
    void layerNorm(LayerNormArgs<CpuArray> args, int firstRow, int rows, float epsilon, CpuArray bias, CpuArray y);

    /** Gradients of layer normalisation; dGain and dBias [width] are overwritten. */
    void layerNormBackward(LayerNormArgs<CpuArray> args, CpuArray dy, CpuArray dx, CpuArray dGain, CpuArray dBias);

    /** Sum of squares. */
    float sumOfSquares(float[] x, int xo, int n);

    /**
     * What one step of Adam does to every parameter: {@code g = gradientScale gradient}, {@code m = beta1 m + (1 - beta1)
     * g}, {@code v = beta2 v + (1 - beta2) g^2}, {@code theta -= rate m / (sqrt(v) secondScale + epsilon)}.
     *
     * @param rate learning rate over the bias correction of the first moment
     * @param secondScale 1 / sqrt(bias correction of the second moment)
     */
    record AdamUpdate(float gradientScale, float beta1, float beta2, float rate, float secondScale, float epsilon) {}

    /** Applies an update to {@code n} parameters from {@code from} on. */
    void adam(
            AdamUpdate update,
            int from,
            int n,
            CpuArray gradient,
            CpuArray firstMoment,
            CpuArray secondMoment,
            CpuArray theta);
}
