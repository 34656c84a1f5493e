// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import java.util.Locale;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.math.UnaryOp;

/** Functions applied element by element, with broadcasting, and their derivatives. */
final class ElementwiseOps {
    /** sqrt(2 / pi) and the cubic coefficient of the tanh form of GELU. */
    private static final double GELU_SCALE = Math.sqrt(2 / Math.PI);

    private static final double GELU_CUBIC = 0.044715;

    private ElementwiseOps() {}

    static Tensor unary(UnaryOp op, Tensor x) {
        Tape tape = x.tape();
        if (!x.dtype().isFloating()) {
            throw new IllegalArgumentException(name(op) + ": needs a floating tensor, got " + x);
        }
        Tensor y = tape.result(x.sizes());
        tape.backend().math().map(op, x.array(), y.array());
        if (tape.records(x) && op != UnaryOp.SIGN && op != UnaryOp.STEP) {
            tape.record(y, g -> g.add(x, unaryGradient(op, x, y, g.of(y))), x);
        }
        return y;
    }

    private static Tensor unaryGradient(UnaryOp op, Tensor x, Tensor y, Tensor dy) {
        return switch (op) {
            case NEGATE -> dy.negate();
            case ABS -> dy.multiply(unary(UnaryOp.SIGN, x));
            case EXP -> dy.multiply(y);
            case LOG -> dy.divide(x);
            case SQRT -> dy.divide(y).multiply(0.5);
            case RSQRT -> dy.multiply(y.square().multiply(y)).multiply(-0.5);
            case RECIPROCAL -> dy.multiply(y.square()).negate();
            case SQUARE -> dy.multiply(x).multiply(2);
            case TANH -> binary(BinaryOp.TANH_GRADIENT, y, dy);
            case SIGMOID -> binary(BinaryOp.SIGMOID_GRADIENT, y, dy);
            case SOFTPLUS -> dy.multiply(x.sigmoid());
            case RELU -> binary(BinaryOp.RELU_GRADIENT, y, dy);
            case GELU -> binary(BinaryOp.GELU_GRADIENT, x, dy);
            case SIN -> dy.multiply(x.cos());
            case COS -> dy.multiply(x.sin()).negate();
            case SIGN, STEP -> throw new IllegalStateException(op + " is flat and never recorded");
        };
    }

    static Tensor binary(BinaryOp op, Tensor a, Tensor b) {
        Tape tape = a.tape();
        b.requireTape(tape);
        int[] shape = Shapes.broadcast(name(op), a.sizes(), b.sizes());
        Tensor y = tape.result(shape);
        StridedAxes axes = Shapes.axes(
                name(op), shape, Shapes.broadcastStrides(a.sizes(), shape), Shapes.broadcastStrides(b.sizes(), shape));
        tape.backend().math().zip(op, axes.shape(), a.array(), axes.first(), b.array(), axes.second(), y.array());
        if (tape.records(a, b) && isDifferentiable(op)) {
            tape.record(y, g -> binaryBackward(op, a, b, y, g), a, b);
        }
        return y;
    }

    private static boolean isDifferentiable(BinaryOp op) {
        return op != BinaryOp.LESS && op != BinaryOp.LESS_EQUAL && op != BinaryOp.EQUAL;
    }

    private static void binaryBackward(BinaryOp op, Tensor a, Tensor b, Tensor y, Gradients g) {
        Tensor dy = g.of(y);
        if (g.wants(a) && op != BinaryOp.RELU_GRADIENT) {
            g.add(a, ReductionOps.sumTo(a.sizes(), gradientOfFirst(op, a, b, dy)));
        }
        if (g.wants(b)) {
            g.add(b, ReductionOps.sumTo(b.sizes(), gradientOfSecond(op, a, b, y, dy)));
        }
    }

    private static Tensor gradientOfFirst(BinaryOp op, Tensor a, Tensor b, Tensor dy) {
        return switch (op) {
            case ADD, SUBTRACT -> dy;
            case MULTIPLY -> dy.multiply(b);
            case DIVIDE -> dy.divide(b);
            case MIN -> dy.multiply(a.lessOrEqual(b));
            case MAX -> dy.multiply(b.lessOrEqual(a));
            case TANH_GRADIENT -> a.multiply(b).multiply(dy).multiply(-2);
            case SIGMOID_GRADIENT -> a.multiply(-2).add(1).multiply(b).multiply(dy);
            case GELU_GRADIENT -> geluSecondDerivative(a).multiply(b).multiply(dy);
            case RELU_GRADIENT, LESS, LESS_EQUAL, EQUAL -> throw new IllegalStateException(op + " is flat here");
        };
    }

    private static Tensor gradientOfSecond(BinaryOp op, Tensor a, Tensor b, Tensor y, Tensor dy) {
        return switch (op) {
            case ADD -> dy;
            case SUBTRACT -> dy.negate();
            case MULTIPLY -> dy.multiply(a);
            case DIVIDE -> dy.multiply(y).divide(b).negate();
            case MIN -> dy.multiply(b.less(a));
            case MAX -> dy.multiply(a.less(b));
            case TANH_GRADIENT, SIGMOID_GRADIENT, RELU_GRADIENT, GELU_GRADIENT -> binary(op, a, dy);
            case LESS, LESS_EQUAL, EQUAL -> throw new IllegalStateException(op + " is flat and never recorded");
        };
    }

    /** With u = c (x + k x^3) and t = tanh u: {@code (1 - t^2) (u' + x/2 (u'' - 2 t u'^2))}. */
    private static Tensor geluSecondDerivative(Tensor x) {
        Tensor square = x.square();
        Tensor t = square.multiply(GELU_CUBIC)
                .add(1)
                .multiply(x)
                .multiply(GELU_SCALE)
                .tanh();
        Tensor du = square.multiply(3 * GELU_CUBIC * GELU_SCALE).add(GELU_SCALE);
        Tensor ddu = x.multiply(6 * GELU_CUBIC * GELU_SCALE);
        Tensor bend = ddu.subtract(t.multiply(du.square()).multiply(2));
        return t.square().negate().add(1).multiply(du.add(x.multiply(bend).multiply(0.5)));
    }

    /** {@code condition != 0 ? a : b}, all broadcast to one shape. */
    static Tensor select(Tensor condition, Tensor a, Tensor b) {
        Tape tape = condition.tape();
        int[] shape = Shapes.broadcast("select", a.sizes(), b.sizes());
        shape = Shapes.broadcast("select", condition.sizes(), shape);
        Tensor mask = condition.broadcastTo(shape);
        Tensor whenTrue = a.broadcastTo(shape);
        Tensor whenFalse = b.broadcastTo(shape);
        if (!a.dtype().isFloating() || !b.dtype().isFloating()) {
            throw new IllegalArgumentException("select: needs floating alternatives, got " + a + " and " + b);
        }
        Tensor y = tape.result(shape);
        tape.backend().math().select(mask.array(), whenTrue.array(), whenFalse.array(), y.array());
        if (tape.records(whenTrue, whenFalse)) {
            Backward backward = g -> {
                Tensor dy = g.of(y);
                Tensor zeros = tape.zeros(y.sizes());
                if (g.wants(whenTrue)) {
                    g.add(whenTrue, select(mask, dy, zeros));
                }
                if (g.wants(whenFalse)) {
                    g.add(whenFalse, select(mask, zeros, dy));
                }
            };
            tape.record(List.of(whenTrue, whenFalse), List.of(y), backward);
        }
        return y;
    }

    private static String name(Enum<?> op) {
        return op.name().toLowerCase(Locale.ROOT);
    }
}
