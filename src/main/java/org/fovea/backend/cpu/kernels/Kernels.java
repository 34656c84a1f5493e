package org.fovea.backend.cpu.kernels;

import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.jspecify.annotations.Nullable;

/**
 * The inner loops. An array and the offset of its first element stand side by side; arguments were checked by the caller.
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
    void gemm(
            Gemm shape, int index, int firstRow, int lastRow, float[] a, int ao, float[] b, int bo, float[] c, int co);

    /** {@code y = activation(x W + bias)}, x [rows, in], W [in, out], y [rows, out]. */
    void linear(
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
            int yo);

    /** Softmax of each row, x and y [rows, width]. */
    void softmax(int rows, int width, float[] x, int xo, float[] y, int yo);

    /** Log softmax of each row, x and y [rows, width]. */
    void logSoftmax(int rows, int width, float[] x, int xo, float[] y, int yo);

    /** Layer normalisation of each row; mean and reciprocalStd [rows] are written. */
    void layerNorm(
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
            int ro);

    /** Gradients of layer normalisation; dGain and dBias [width] are overwritten. */
    void layerNormBackward(
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
            int dbo);

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

    /** Applies an update to n parameters. */
    void adam(
            AdamUpdate update,
            int n,
            float[] gradient,
            int go,
            float[] first,
            int fo,
            float[] second,
            int so,
            float[] theta,
            int to);
}
