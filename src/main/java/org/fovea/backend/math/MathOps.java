// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products, elementwise and row-wise maps, reductions, gathers and random numbers.
 *
 * <p>Unless stated otherwise floating arrays have the type {@link Memory#floatType()}, outputs do not overlap inputs, and an
 * elementwise output may be exactly one of its inputs.
 */
public interface MathOps {

    /**
     * {@code y[i] = x[i]}, converted from one floating type to another, to nearest, ties to even. Besides {@link Memory} and
     * attention this is the one operation that takes {@link DType#BF16} and {@link DType#F16}.
     */
    void cast(DeviceArray x, DeviceArray y);

    /** {@code y[i] = op(x[i])} for all of y. */
    void map(UnaryOp op, DeviceArray x, DeviceArray y);

    /**
     * {@code y[index] = op(a[index . strideA], b[index . strideB])} over a dense row-major y of shape {@code shape}, at
     * most 6 axes. A stride of 0 broadcasts that axis. Inputs are floating or I32; integers are converted.
     */
    void zip(BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y);

    /** {@code y[i] = condition[i] != 0 ? a[i] : b[i]}. */
    void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y);

    /** Folds the middle axis: {@code y[o, i] = op over r of x[o, r, i]}, x [outer, reduced, inner]. */
    void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y);

    /**
     * Strided copy {@code y[index . strideY] = x[index . strideX]} over {@code shape}, at most 6 axes: transposition,
     * slicing, concatenation and broadcasting (x stride 0). Arrays have the same type.
     */
    void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY);

    /** {@link #arrange} of floating elements, added to y: {@code y[index . strideY] += x[index . strideX]}, each at most once. */
    void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY);

    /** Batched matrix products, see {@link Gemm}. */
    void gemm(Gemm shape, DeviceArray a, DeviceArray b, DeviceArray c);

    /**
     * {@code y[i, :] = table[indices[i], :]}; rows of {@code width} elements, indices I32. Tables of any type. A device
     * need not look at the indices beforehand: a row whose index is outside the table is then NaN, or -1.
     *
     * @throws IndexOutOfBoundsException on the CPU, if an index is outside the table
     */
    void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y);

    /** {@link #gatherRows(DeviceArray, int, DeviceArray, DeviceArray)} of several tables by the same indices. */
    default void gatherRows(DeviceArray indices, List<TableRows> tables) {
        for (TableRows of : tables) {
            gatherRows(of.table(), of.width(), indices, of.rows());
        }
    }

    /**
     * {@code table[indices[i], :] += x[i, :]}; repeated indices add up in an order that depends on the indices alone.
     * Where they are not looked at beforehand, a row whose index is outside the table is left out.
     *
     * @throws IndexOutOfBoundsException on the CPU, if an index is outside the table
     */
    void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table);

    /**
     * {@code table[place of i, :] = rows[i, :]} for several tables; {@link TableRows#rows} are read, tables written. Different rows
     * must have different places. Where places are not looked at beforehand, a row whose place is outside the table is left out.
     *
     * @param tables of F32 or I32
     * @throws IndexOutOfBoundsException on the CPU, if a place is outside the table
     */
    void placeRows(RowPlaces places, List<TableRows> tables);

    /** {@code y[i] = start + i step}, y floating or I32. */
    void iota(double start, double step, DeviceArray y);

    /**
     * Uniform numbers in (0, 1), element i being number {@code draw.first() + i} of the stream as {@link Philox} defines
     * it: the same on every device.
     */
    void uniform(RandomRange draw, DeviceArray y);

    /**
     * {@code y = activation(x W + bias)}: x [rows, in], weight [in, out], bias [out] or null, y [rows, out].
     */
    void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y);

    /** {@link #linear} without activation, plus {@code added}, [rows, out]. */
    default void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            DeviceArray added,
            DeviceArray y) {
        linear(rows, in, out, x, weight, bias, Activation.NONE, y);
        int[] shape = {Math.multiplyExact(rows, out)};
        int[] stride = {1};
        zip(BinaryOp.ADD, shape, added, stride, y, stride, y);
    }

    /** {@link #linear} without activation of some layers of the same sizes. */
    default void linear(int in, int out, List<LinearRows> layers) {
        for (LinearRows of : layers) {
            linear(of.rows(), in, out, of.x(), of.weight(), of.bias(), Activation.NONE, of.y());
        }
    }

    /**
     * Gradients of {@link #linear} without activation, and of the activation whose output x is: {@code dx = activation' (dy W^T +
     * added)}, with the derivative at that output; {@code dWeight = x^T dy}; {@code dBias} the sum over rows of dy. They are
     * overwritten.
     */
    default void linearBackward(LinearGradients<DeviceArray> args) {
        MathChecks.linearBackward(args);
        int rows = args.rows();
        int in = args.in();
        int out = args.out();
        DeviceArray dx = args.dx();
        if (dx != null) {
            int[] shape = {Math.multiplyExact(rows, in)};
            int[] stride = {1};
            gemm(Gemm.dense(false, true, rows, in, out), args.dy(), args.weight(), dx);
            DeviceArray added = args.added();
            if (added != null) {
                zip(BinaryOp.ADD, shape, added, stride, dx, stride, dx);
            }
            BinaryOp gradient = args.activation().gradient();
            if (gradient != null) {
                zip(gradient, shape, args.x(), stride, dx, stride, dx);
            }
        }
        DeviceArray dWeight = args.dWeight();
        if (dWeight != null) {
            gemm(Gemm.dense(true, false, in, out, rows), args.x(), args.dy(), dWeight);
        }
        DeviceArray dBias = args.dBias();
        if (dBias != null) {
            reduce(ReduceOp.SUM, 1, rows, out, args.dy(), dBias);
        }
    }

    /**
     * {@link #linearBackward(LinearGradients)} of some layers of the same sizes, one after the other. One may add what another
     * before it gives as dx; that array is then written, or left as it was.
     */
    default void linearBackward(List<LinearGradients<DeviceArray>> layers) {
        layers.forEach(this::linearBackward);
    }

    /** {@code y[r, :] = softmax(x[r, :])}, x [rows, width]; a row of -infinity only gives 0. */
    void softmax(int rows, int width, DeviceArray x, DeviceArray y);

    /** {@code y[r, :] = x[r, :] - log sum exp x[r, :]}, x [rows, width]. */
    void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y);

    /**
     * Layer normalisation: {@code y = (x - mean) reciprocalStd gain + bias} per row, with {@code reciprocalStd = 1 /
     * sqrt(variance + epsilon)}, biased variance. Writes y [rows, width] and the mean and reciprocalStd of {@code args}.
     *
     * @param bias [width]
     */
    void layerNorm(LayerNormArgs<DeviceArray> args, float epsilon, DeviceArray bias, DeviceArray y);

    /** Gradients of {@link #layerNorm}: dy, dx [rows, width]; dGain, dBias [width], overwritten. */
    void layerNormBackward(
            LayerNormArgs<DeviceArray> args, DeviceArray dy, DeviceArray dx, DeviceArray dGain, DeviceArray dBias);

    /** {@link #layerNormBackward(LayerNormArgs, DeviceArray, DeviceArray, DeviceArray, DeviceArray)} with dx + added for dx. */
    default void layerNormBackward(
            LayerNormArgs<DeviceArray> args,
            DeviceArray dy,
            DeviceArray added,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        layerNormBackward(args, dy, dx, dGain, dBias);
        int[] shape = {Math.multiplyExact(args.rows(), args.width())};
        int[] stride = {1};
        zip(BinaryOp.ADD, shape, added, stride, dx, stride, dx);
    }

    /**
     * Rotary position encoding (Su et al. 2021, arXiv:2104.09864), pairs {@code (i, i + headDim/2)}: each pair of {@code
     * x[row, head, :]} is turned by the angle {@code sign positions[row] base^(-2i/headDim)}. x, y [rows, heads,
     * headDim], headDim even, positions I32 [rows], sign 1 or -1 (the inverse, and so the gradient).
     */
    void rotary(
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y);

    /** The same for rows of two arrays. */
    default void rotary(int heads, int headDim, float base, int sign, RotaryRows first, RotaryRows second) {
        rotary(first.rows(), heads, headDim, base, sign, first.x(), first.positions(), first.y());
        rotary(second.rows(), heads, headDim, base, sign, second.x(), second.positions(), second.y());
    }

    /** {@code y = (x - mean(x)) / (std(x) + epsilon)} over the whole array, biased variance. */
    void standardize(float epsilon, DeviceArray x, DeviceArray y);
}
