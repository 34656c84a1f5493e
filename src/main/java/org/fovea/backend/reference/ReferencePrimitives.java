package org.fovea.backend.reference;

import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;

/** The primitives of {@code MathOps}. */
abstract class ReferencePrimitives extends ReferenceMemory {

    private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
    private static final double GELU_CUBIC = 0.044715;

    ReferencePrimitives(DType floatType) {
        super(floatType);
    }

    static double apply(UnaryOp op, double x) {
        return switch (op) {
            case NEGATE -> -x;
            case ABS -> Math.abs(x);
            case SIGN -> Math.signum(x);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SQRT -> Math.sqrt(x);
            case RSQRT -> 1 / Math.sqrt(x);
            case RECIPROCAL -> 1 / x;
            case SQUARE -> x * x;
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
            case SOFTPLUS -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
            case RELU -> Math.max(x, 0);
            case STEP -> x > 0 ? 1 : 0;
            case GELU -> x / 2 * (1 + Math.tanh(geluArgument(x)));
            case SIN -> Math.sin(x);
            case COS -> Math.cos(x);
        };
    }

    static double apply(BinaryOp op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> a / b;
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
            case LESS -> a < b ? 1 : 0;
            case LESS_EQUAL -> a <= b ? 1 : 0;
            case EQUAL -> a == b ? 1 : 0;
            case TANH_GRADIENT -> (1 - a * a) * b;
            case SIGMOID_GRADIENT -> a * (1 - a) * b;
            case RELU_GRADIENT -> a > 0 ? b : 0;
            case GELU_GRADIENT -> {
                double t = Math.tanh(geluArgument(a));
                double slope = SQRT_2_OVER_PI * (1 + 3 * GELU_CUBIC * a * a);
                yield ((1 + t) / 2 + a / 2 * (1 - t * t) * slope) * b;
            }
        };
    }

    private static double geluArgument(double x) {
        return SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x);
    }

    @Override
    public final void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, from.get(i));
        }
    }

    @Override
    public final void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, apply(op, from.get(i)));
        }
    }

    @Override
    public final void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        ReferenceArray left = use(a);
        ReferenceArray right = use(b);
        ReferenceArray to = use(y);
        for (int i = 0; i < to.size(); i++) {
            int[] index = index(shape, i);
            to.set(i, apply(op, left.get(dot(index, strideA)), right.get(dot(index, strideB))));
        }
    }

    /** Coordinates of element {@code flat} of a row-major array. */
    private static int[] index(int[] shape, int flat) {
        int[] index = new int[shape.length];
        int rest = flat;
        for (int axis = shape.length - 1; axis >= 0; axis--) {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        return index;
    }

    private static int dot(int[] index, int[] strides) {
        int sum = 0;
        for (int axis = 0; axis < index.length; axis++) {
            sum += index[axis] * strides[axis];
        }
        return sum;
    }

    @Override
    public final void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        ReferenceArray chosen = use(condition);
        ReferenceArray yes = use(a);
        ReferenceArray no = use(b);
        ReferenceArray to = use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, chosen.get(i) != 0 ? yes.get(i) : no.get(i));
        }
    }

    @Override
    public final void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int o = 0; o < outer; o++) {
            for (int i = 0; i < inner; i++) {
                double folded = op == ReduceOp.SUM ? 0 : Double.NEGATIVE_INFINITY;
                for (int r = 0; r < reduced; r++) {
                    double element = from.get((o * reduced + r) * inner + i);
                    folded = op == ReduceOp.SUM ? folded + element : Math.max(folded, element);
                }
                to.set(o * inner + i, folded);
            }
        }
    }

    @Override
    public final void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.arrange(shape, x, strideX, y, strideY);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        long size = RowMajor.size(shape);
        for (int i = 0; i < size; i++) {
            int[] index = index(shape, i);
            to.set(dot(index, strideY), from.get(dot(index, strideX)));
        }
    }

    @Override
    public final void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(g, a, b, c);
        ReferenceArray left = use(a);
        ReferenceArray right = use(b);
        ReferenceArray to = use(c);
        for (int batch = 0; batch < g.batch(); batch++) {
            for (int m = 0; m < g.m(); m++) {
                for (int n = 0; n < g.n(); n++) {
                    double sum = 0;
                    for (int k = 0; k < g.k(); k++) {
                        long inA = g.transposeA() ? (long) k * g.lda() + m : (long) m * g.lda() + k;
                        long inB = g.transposeB() ? (long) n * g.ldb() + k : (long) k * g.ldb() + n;
                        sum += left.get(batch * g.strideA() + inA) * right.get(batch * g.strideB() + inB);
                    }
                    long at = batch * g.strideC() + (long) m * g.ldc() + n;
                    double scaled = g.alpha() * sum;
                    to.set(at, g.beta() == 0 ? scaled : scaled + g.beta() * to.get(at));
                }
            }
        }
    }

    @Override
    public final void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathChecks.gatherRows(table, width, indices, y);
        ReferenceArray from = use(table);
        ReferenceArray rows = use(indices);
        ReferenceArray to = use(y);
        for (int i = 0; i < rows.size(); i++) {
            for (int j = 0; j < width; j++) {
                to.set(i * width + j, from.get((long) rows.integer(i) * width + j));
            }
        }
    }

    @Override
    public final void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathChecks.scatterAddRows(x, width, indices, table);
        ReferenceArray from = use(x);
        ReferenceArray rows = use(indices);
        ReferenceArray to = use(table);
        for (int i = 0; i < rows.size(); i++) {
            for (int j = 0; j < width; j++) {
                to.add((long) rows.integer(i) * width + j, from.get(i * width + j));
            }
        }
    }

    @Override
    public final void iota(double start, double step, DeviceArray y) {
        ReferenceArray to = use(y);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, start + i * step);
        }
    }

    @Override
    public final void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        ReferenceArray to = use(y);
        long stream = stream(draw);
        for (int i = 0; i < to.size(); i++) {
            to.set(i, Philox.uniform(draw.seed(), stream, draw.first() + i));
        }
    }

    /** The stream that is drawn from now. */
    final long stream(RandomRange draw) {
        DeviceArray counter = draw.counter();
        return draw.stream() + (counter == null ? 0 : use(counter).integer(0));
    }
}
