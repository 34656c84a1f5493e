// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/**
 * A dense row-major array with a shape, on a {@link Tape}. Immutable as far as its operations are concerned; ended by
 * its tape. Binary operations broadcast as NumPy does: shapes are aligned at the last axis and sizes of 1 stretch. A
 * negative axis counts from the end. Shapes that do not fit throw {@link ShapeException}, operands of different tapes
 * {@link IllegalArgumentException}.
 */
public final class Tensor extends TapedArray {
    Tensor(Tape tape, DeviceArray array, int[] shape, @Nullable Parameter parameter) {
        super(tape, array, shape, parameter);
    }

    /** The same values, to which no gradient flows. */
    public Tensor detach() {
        return tape().constant(array(), sizes());
    }

    // ---- element by element, two operands

    /** {@code this + other}. */
    public Tensor add(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.ADD, this, other);
    }

    /** {@code this + value}. */
    public Tensor add(double value) {
        return add(scalar(value));
    }

    /** {@code this - other}. */
    public Tensor subtract(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.SUBTRACT, this, other);
    }

    /** {@code this - value}. */
    public Tensor subtract(double value) {
        return subtract(scalar(value));
    }

    /** {@code this * other}, element by element. */
    public Tensor multiply(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.MULTIPLY, this, other);
    }

    /** {@code this * value}. */
    public Tensor multiply(double value) {
        return multiply(scalar(value));
    }

    /** {@code this / other}, element by element. */
    public Tensor divide(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.DIVIDE, this, other);
    }

    /** {@code this / value}. */
    public Tensor divide(double value) {
        return divide(scalar(value));
    }

    /** The smaller of the two; equal ones give the gradient to this one. */
    public Tensor min(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.MIN, this, other);
    }

    /** The larger of the two; equal ones give the gradient to this one. */
    public Tensor max(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.MAX, this, other);
    }

    /** The nearest value in {@code [low, high]}. */
    public Tensor clamp(double low, double high) {
        return max(scalar(low)).min(scalar(high));
    }

    /** 1 where {@code this < other}, else 0; a constant. */
    public Tensor less(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.LESS, this, other);
    }

    /** 1 where {@code this <= other}, else 0; a constant. */
    public Tensor lessOrEqual(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.LESS_EQUAL, this, other);
    }

    /** 1 where {@code this == other}, else 0; a constant. */
    public Tensor equalTo(Tensor other) {
        return ElementwiseOps.binary(BinaryOp.EQUAL, this, other);
    }

    /** This being a condition: {@code this != 0 ? whenTrue : whenFalse}. No gradient flows to this. */
    public Tensor select(Tensor whenTrue, Tensor whenFalse) {
        return ElementwiseOps.select(this, whenTrue, whenFalse);
    }

    // ---- element by element, one operand

    /** {@code -this}. */
    public Tensor negate() {
        return unary(UnaryOp.NEGATE);
    }

    /** Absolute value; its derivative at 0 is 0. */
    public Tensor abs() {
        return unary(UnaryOp.ABS);
    }

    /** {@code e^this}. */
    public Tensor exp() {
        return unary(UnaryOp.EXP);
    }

    /** Natural logarithm. */
    public Tensor log() {
        return unary(UnaryOp.LOG);
    }

    /** Square root. */
    public Tensor sqrt() {
        return unary(UnaryOp.SQRT);
    }

    /** {@code 1 / sqrt(this)}. */
    public Tensor rsqrt() {
        return unary(UnaryOp.RSQRT);
    }

    /** {@code 1 / this}. */
    public Tensor reciprocal() {
        return unary(UnaryOp.RECIPROCAL);
    }

    /** {@code this * this}. */
    public Tensor square() {
        return unary(UnaryOp.SQUARE);
    }

    /** Hyperbolic tangent. */
    public Tensor tanh() {
        return unary(UnaryOp.TANH);
    }

    /** {@code 1 / (1 + e^-this)}. */
    public Tensor sigmoid() {
        return unary(UnaryOp.SIGMOID);
    }

    /** {@code log(1 + e^this)}. */
    public Tensor softplus() {
        return unary(UnaryOp.SOFTPLUS);
    }

    /** {@code max(this, 0)}; its derivative at 0 is 0. */
    public Tensor relu() {
        return unary(UnaryOp.RELU);
    }

    /** Gaussian error linear unit, tanh form. */
    public Tensor gelu() {
        return unary(UnaryOp.GELU);
    }

    /** Sine of radians. */
    public Tensor sin() {
        return unary(UnaryOp.SIN);
    }

    /** Cosine of radians. */
    public Tensor cos() {
        return unary(UnaryOp.COS);
    }

    // ---- folding

    /** Sum over the given axes, which disappear; over all if none is given. */
    public Tensor sum(int... axes) {
        return ReductionOps.sum(this, false, axes);
    }

    /** Sum over the given axes, which stay with size 1. */
    public Tensor sumKeepingAxes(int... axes) {
        return ReductionOps.sum(this, true, axes);
    }

    /** Mean over the given axes, which disappear; over all if none is given. */
    public Tensor mean(int... axes) {
        return meanOf(sum(axes));
    }

    /** Mean over the given axes, which stay with size 1. */
    public Tensor meanKeepingAxes(int... axes) {
        return meanOf(sumKeepingAxes(axes));
    }

    /** Maximum over the given axes, which disappear; over all if none is given. Equal maxima share the gradient. */
    public Tensor max(int... axes) {
        return ReductionOps.max(this, false, axes);
    }

    /** Maximum over the given axes, which stay with size 1. */
    public Tensor maxKeepingAxes(int... axes) {
        return ReductionOps.max(this, true, axes);
    }

    /** Softmax over the last axis; a row of -infinity only gives 0. */
    public Tensor softmax() {
        return FusedOps.softmax(this);
    }

    /** Logarithm of the softmax over the last axis. */
    public Tensor logSoftmax() {
        return FusedOps.logSoftmax(this);
    }

    // ---- moving elements

    /** The same elements under another shape, without a copy. */
    public Tensor reshape(int... newShape) {
        return LayoutOps.reshape(this, newShape.clone());
    }

    /** Axis i of the result is axis {@code order[i]} of this. */
    public Tensor transpose(int... order) {
        return LayoutOps.transpose(this, order.clone());
    }

    /** Elements {@code [from, to)} of an axis. */
    public Tensor slice(int axis, int from, int to) {
        return LayoutOps.slice(this, axis, from, to);
    }

    /**
     * All of an axis in parts of these lengths, which {@link #concat} joins again. For a tensor that is used up this is faster in
     * the backward than a {@link #slice} for each.
     *
     * @throws ShapeException if they don't add up to the axis
     */
    public List<Tensor> split(int axis, int... lengths) {
        return LayoutOps.split(this, axis, lengths);
    }

    /** The parts one after the other along an axis. */
    public static Tensor concat(int axis, List<Tensor> parts) {
        return LayoutOps.concat(axis, List.copyOf(parts));
    }

    /** Repeated to a larger shape. */
    public Tensor broadcastTo(int... newShape) {
        return LayoutOps.broadcastTo(this, newShape.clone());
    }

    /** {@code y[i, ...] = this[indices[i], ...]}: the axes of the I32 indices take the place of the first axis. */
    public Tensor gatherRows(Tensor indices) {
        return LayoutOps.gatherRows(this, indices);
    }

    /**
     * The reverse of {@link #gatherRows}: {@code y[indices[i], ...] += this[i, ...]} into zeros of shape {@code
     * newShape}.
     */
    public Tensor scatterAddRows(Tensor indices, int... newShape) {
        return LayoutOps.scatterAddRows(this, indices, newShape.clone());
    }

    // ---- matrices and layers

    /** Matrix product over the last two axes; leading axes are broadcast. */
    public Tensor matmul(Tensor other) {
        return MatrixOps.matmul(this, other, false, false);
    }

    /** Matrix product of which either operand is transposed without being copied. */
    public Tensor matmul(Tensor other, boolean transposeThis, boolean transposeOther) {
        return MatrixOps.matmul(this, other, transposeThis, transposeOther);
    }

    /** {@code activation(this weight + bias)}: this [..., in], weight [in, out], bias [out] or null. */
    public Tensor linear(Tensor weight, @Nullable Tensor bias, Activation activation) {
        return LinearOps.linear(this, weight, bias, activation, null);
    }

    /** {@code this weight + bias + added}: this [..., in], weight [in, out], bias [out] or null, added [..., out]. */
    public Tensor linear(Tensor weight, @Nullable Tensor bias, Tensor added) {
        return LinearOps.linear(this, weight, bias, Activation.NONE, added);
    }

    /**
     * {@code xs[i] weights[i] + biases[i]} of some layers of the same sizes, in one go: xs [..., in], weights [in, out], biases
     * [out]. Several may have the same input.
     */
    public static List<Tensor> linear(List<Tensor> xs, List<Tensor> weights, List<Tensor> biases) {
        return LinearOps.linear(xs, weights, biases);
    }

    /** Normalises the last axis to mean 0 and variance 1, then {@code gain x + bias}, each of that axis's length. */
    public Tensor layerNorm(Tensor gain, Tensor bias, float epsilon) {
        return FusedOps.layerNorm(this, gain, bias, epsilon);
    }

    /**
     * Rotary position encoding of each of {@code heads} parts of the last axis, in pairs {@code (i, i + headDim/2)}.
     *
     * @param positions I32, one for each row
     * @param base of the wavelengths, 10,000 in the literature
     */
    public Tensor rotary(Tensor positions, int heads, float base) {
        return FusedOps.rotary(this, positions, heads, base, 1);
    }

    /** {@link #rotary} of two tensors of the same width. */
    public static List<Tensor> rotary(
            Tensor first, Tensor firstPositions, Tensor second, Tensor secondPositions, int heads, float base) {
        return FusedOps.rotary(first, firstPositions, second, secondPositions, heads, base, 1);
    }

    private Tensor unary(UnaryOp op) {
        return ElementwiseOps.unary(op, this);
    }

    private Tensor scalar(double value) {
        return tape().full(value, Shapes.SCALAR);
    }

    private Tensor meanOf(Tensor sum) {
        return sum.multiply((double) sum.length() / length());
    }
}
