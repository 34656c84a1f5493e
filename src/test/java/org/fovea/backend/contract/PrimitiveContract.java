package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.RowMajor;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Elementwise maps, reductions, counting and random numbers. */
interface PrimitiveContract extends ContractFixture {

    double INFINITY = Double.POSITIVE_INFINITY;

    double[] SPECIAL = {
        0,
        -0.0,
        1,
        -1,
        0.5,
        -3,
        20,
        -20,
        88,
        -88,
        1e30,
        -1e30,
        1e-30,
        -1e-30,
        Float.MIN_NORMAL,
        Float.MAX_VALUE,
        INFINITY,
        -INFINITY,
        Double.NaN
    };

    @Test
    default void mapsFollowTheirFormulas() {
        for (UnaryOp op : UnaryOp.values()) {
            for (int length : AWKWARD) {
                double[] values = Pair.normal(length, 31 * op.ordinal() + length);
                for (int i = 0; i < length; i += 3) {
                    values[i] *= 8;
                }
                checkMap(op, values);
            }
            checkMap(op, Pair.normal(4099, op.ordinal()));
            checkMap(op, Arrays.stream(SPECIAL).filter(x -> defined(op, x)).toArray());
        }
    }

    /** Without the points where the formula itself is indeterminate or no digit of the result is meaningful. */
    private static boolean defined(UnaryOp op, double x) {
        return switch (op) {
            case SIN, COS -> !(Math.abs(x) > 1e4) || Double.isInfinite(x);
            case GELU -> !Double.isInfinite(x);
            default -> true;
        };
    }

    private void checkMap(UnaryOp op, double[] values) {
        try (Pair p = pair()) {
            Pair.Both x = p.floats(values);
            Pair.Both y = p.output(values.length);
            p.run(b -> b.math().map(op, x.on(b), y.on(b)));
            double[] bounds = new double[values.length];
            double[] expected = y.expected();
            for (int i = 0; i < bounds.length; i++) {
                bounds[i] = mapBound(op, x.expected()[i], expected[i]);
            }
            y.isWithin(bounds, op.name());
            p.run(b -> b.math().map(op, x.on(b), x.on(b)));
            x.isWithin(bounds, op + " in place");
        }
    }

    /** Units of rounding: a few of the result, and of what one rounding of the argument changes it by. */
    private static double mapBound(UnaryOp op, double x, double y) {
        double fromArgument = switch (op) {
            case NEGATE, ABS, SIGN, RELU, STEP -> Double.NaN;
            case SQRT, RSQRT, RECIPROCAL, SQUARE -> 0;
            case EXP -> Math.abs(x * y);
            case LOG -> 1;
            case TANH -> Math.abs(x) * (1 - y * y);
            case SIGMOID -> Math.abs(x) * y * (1 - y);
            case SOFTPLUS -> 1;
            case GELU, SIN, COS -> Math.abs(x);
        };
        double bound = 4 * (Math.abs(y) + fromArgument);
        return Double.isFinite(bound) ? bound : 0;
    }

    @Test
    default void zipsFollowTheirFormulas() {
        for (BinaryOp op : BinaryOp.values()) {
            for (int length : AWKWARD) {
                checkZip(op, argument(op, Pair.normal(length, length)), Pair.normal(length, 7 + length));
            }
            double[] special = Arrays.stream(SPECIAL)
                    .filter(a -> !op.name().endsWith("_GRADIENT") || Math.abs(a) <= 20)
                    .toArray();
            int pairs = special.length * special.length;
            double[] left = new double[pairs];
            double[] right = new double[pairs];
            for (int i = 0; i < pairs; i++) {
                left[i] = special[i / special.length];
                right[i] = special[i % special.length];
            }
            checkZip(op, argument(op, left), right);
        }
    }

    /** Gradients from the output take outputs. */
    private static double[] argument(BinaryOp op, double[] a) {
        return switch (op) {
            case TANH_GRADIENT ->
                Arrays.stream(a).map(x -> (float) Math.tanh(x)).toArray();
            case SIGMOID_GRADIENT ->
                Arrays.stream(a).map(x -> (float) (1 / (1 + Math.exp(-x)))).toArray();
            default -> a;
        };
    }

    private void checkZip(BinaryOp op, double[] left, double[] right) {
        int length = left.length;
        try (Pair p = pair()) {
            Pair.Both a = p.floats(left);
            Pair.Both b = p.floats(right);
            Pair.Both y = p.output(length);
            int[] shape = {length};
            int[] dense = {1};
            p.run(d -> d.math().zip(op, shape, a.on(d), dense, b.on(d), dense, y.on(d)));
            double[] bounds = new double[length];
            double[] expected = y.expected();
            for (int i = 0; i < length; i++) {
                double size = Math.abs(left[i]);
                double bound = switch (op) {
                    case ADD, SUBTRACT, MULTIPLY -> Math.abs(expected[i]);
                    case DIVIDE, SIGMOID_GRADIENT -> 4 * Math.abs(expected[i]);
                    case TANH_GRADIENT -> 4 * Math.abs(right[i]);
                    // (1 - tanh^2) loses its digits and is multiplied by a cubic
                    case GELU_GRADIENT -> 16 * (1 + size * size * size) * Math.abs(right[i]);
                    default -> 0;
                };
                bounds[i] = Double.isFinite(bound) ? bound : 0;
            }
            y.isWithin(bounds, op.name());
            p.run(d -> d.math().zip(op, shape, a.on(d), dense, b.on(d), dense, b.on(d)));
            b.isWithin(bounds, op + " in place");
        }
    }

    @Test
    default void zipsBroadcastAndTranspose() {
        int[][] shapes = {{1}, {7}, {3, 5}, {33, 17}, {5, 8}, {2, 3, 5}, {3, 4, 8}, {2, 1, 3, 7}, {2, 2, 3, 1, 2, 5}};
        for (int[] shape : shapes) {
            for (int kind = 0; kind < 5; kind++) {
                int[] strideA = strides(shape, kind);
                int[] strideB = strides(shape, (kind + 2) % 5);
                try (Pair p = pair()) {
                    Pair.Both a = p.floats(Pair.normal(reach(shape, strideA), 1));
                    Pair.Both b = p.floats(Pair.normal(reach(shape, strideB), 2));
                    Pair.Both y = p.output(RowMajor.size(shape));
                    p.run(d -> d.math().zip(BinaryOp.SUBTRACT, shape, a.on(d), strideA, b.on(d), strideB, y.on(d)));
                    y.isWithin(16, Arrays.toString(shape) + Arrays.toString(strideA) + Arrays.toString(strideB));
                }
            }
        }
    }

    /** Dense, first axis broadcast, last axis broadcast, all broadcast, axes in reverse order. */
    private static int[] strides(int[] shape, int kind) {
        int[] strides = RowMajor.strides(shape);
        switch (kind) {
            case 1 -> strides[0] = 0;
            case 2 -> strides[shape.length - 1] = 0;
            case 3 -> Arrays.fill(strides, 0);
            case 4 -> {
                int stride = 1;
                for (int axis = 0; axis < shape.length; axis++) {
                    strides[axis] = stride;
                    stride *= shape[axis];
                }
            }
            default -> {}
        }
        return strides;
    }

    private static int reach(int[] shape, int[] strides) {
        int last = 0;
        for (int axis = 0; axis < shape.length; axis++) {
            last += (shape[axis] - 1) * strides[axis];
        }
        return last + 1;
    }

    @Test
    default void zipsConvertIntegers() {
        try (Pair p = pair()) {
            Pair.Both a = p.ints(3, -2, 7, 7, 16777215);
            Pair.Both b = p.floats(3, -2.5, 8, 7, 0);
            Pair.Both c = p.ints(3, 2, 7);
            Pair.Both y = p.output(5);
            Pair.Both z = p.output(15);
            int[] dense = {1};
            for (BinaryOp op : new BinaryOp[] {BinaryOp.EQUAL, BinaryOp.LESS, BinaryOp.ADD}) {
                p.run(d -> d.math().zip(op, new int[] {5}, a.on(d), dense, b.on(d), dense, y.on(d)));
                y.isExact(op + " of integers and floats");
                p.run(d -> d.math()
                        .zip(op, new int[] {5, 3}, a.on(d), new int[] {1, 0}, c.on(d), new int[] {0, 1}, z.on(d)));
                z.isWithin(16777218, op + " of integers");
            }
        }
    }

    @Test
    default void selectChoosesWithoutMixing() {
        for (int length : AWKWARD) {
            try (Pair p = pair()) {
                double[] chosen = new double[length];
                for (int i = 0; i < length; i++) {
                    chosen[i] = i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : Double.NaN;
                }
                Pair.Both condition = p.floats(chosen);
                Pair.Both a = p.floats(Pair.normal(length, 1));
                Pair.Both b = p.floats(
                        Arrays.stream(chosen).map(x -> x == 0 ? 4 : Double.NaN).toArray());
                Pair.Both y = p.output(length);
                p.run(d -> d.math().select(condition.on(d), a.on(d), b.on(d), y.on(d)));
                y.isExact("select");
                p.run(d -> d.math().select(condition.on(d), a.on(d), b.on(d), a.on(d)));
                a.isExact("select in place");
            }
        }
    }

    @Test
    default void reductionsFoldTheMiddleAxis() {
        int[][] shapes = {
            {1, 1, 1},
            {5, 97, 1},
            {1, 97, 5},
            {3, 17, 13},
            {1, 4099, 1},
            {207, 3, 1},
            {1, 207, 33},
            {2, 0, 3},
            {0, 5, 3},
            {64, 64, 1},
            {1, 64, 64},
            {1, 9001, 1},
            {1, 4099, 6},
            {2, 1031, 40},
            {70001, 2, 1}
        };
        for (int[] s : shapes) {
            double[] values = Pair.normal(s[0] * s[1] * s[2], s[1]);
            for (ReduceOp op : ReduceOp.values()) {
                try (Pair p = pair()) {
                    Pair.Both x = p.floats(values);
                    Pair.Both y = p.output((long) s[0] * s[2]);
                    p.run(b -> b.math().reduce(op, s[0], s[1], s[2], x.on(b), y.on(b)));
                    double sums = 4 * Math.sqrt(s[1]) * s[1] * Pair.largest(values);
                    y.isWithin(op == ReduceOp.SUM ? sums : 0, op + " of " + Arrays.toString(s));
                }
            }
        }
    }

    @Test
    default void reductionsKeepNaNAndInfinity() {
        for (ReduceOp op : ReduceOp.values()) {
            for (int at : new int[] {0, 7, 16, 96}) {
                for (double special : new double[] {Double.NaN, INFINITY, -INFINITY}) {
                    try (Pair p = pair()) {
                        double[] values = Pair.normal(97, 3);
                        values[at] = special;
                        Pair.Both x = p.floats(values);
                        Pair.Both y = p.output(1);
                        p.run(b -> b.math().reduce(op, 1, 97, 1, x.on(b), y.on(b)));
                        y.isExact(op + " with " + special + " at " + at);
                        p.run(b -> b.math().reduce(op, 1, 97, 1, x.on(b), y.on(b)));
                        Pair.Both columns = p.output(97);
                        p.run(b -> b.math().reduce(op, 1, 1, 97, x.on(b), columns.on(b)));
                        columns.isExact(op + " over one row");
                    }
                }
            }
        }
    }

    @Test
    default void iotaCounts() {
        for (int length : AWKWARD) {
            try (Pair p = pair()) {
                Pair.Both y = p.output(length);
                p.run(b -> b.math().iota(-2, 0.25, y.on(b)));
                y.isExact("iota");
                p.run(b -> b.math().iota(0.1, 0.3, y.on(b)));
                y.isWithin(4 * (0.1 + 0.3 * length), "iota of inexact steps");
                Pair.Both i = p.integerOutput(length);
                p.run(b -> b.math().iota(100, -3, i.on(b)));
                i.isSameIntegers("iota");
            }
        }
    }

    @Test
    default void uniformNumbersAreTheStreamOfPhilox() {
        long[][] positions = {
            {0, 0, 0}, {1, 2, 3}, {-1, -1, 5}, {0x123456789ABCDEFL, 1L << 40, (1L << 34) + 2}, {7, -5, (1L << 33) - 3}
        };
        for (long[] at : positions) {
            for (int length : AWKWARD) {
                try (Pair p = pair()) {
                    Pair.Both y = p.output(length);
                    p.run(b -> b.math().uniform(new RandomRange(at[0], at[1], at[2]), y.on(b)));
                    y.isExact("uniform at " + Arrays.toString(at));
                    assertThat(Arrays.stream(y.actual()).allMatch(u -> u > 0 && u < 1))
                            .isTrue();
                }
            }
        }
    }
}
