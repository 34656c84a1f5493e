// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.RowMajor;

/** Elementwise operations, reductions and random numbers. */
final class PrimitiveCases {
    private static final double INFINITY = Double.POSITIVE_INFINITY;

    /** Lengths around the widths of vectors, warps and tiles. */
    private static final int[] LENGTHS = {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207, 4099};

    private static final int[] DEEP_LENGTHS = {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207, 4099, 65_537, 1_000_003};

    private static final double[] SPECIAL = {
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

    /** Halfway cases, the largest numbers and subnormals of 16-bit types. */
    private static final double[] HALFWAY = {
        1 + 0x1p-8,
        1 + 0x3p-8,
        1 + 0x1p-11,
        1 + 0x3p-11,
        65504,
        65519.99,
        65520,
        3.3895e38,
        0x1p-24,
        0x1p-25,
        0x1.8p-25,
        0x1p-14 - 0x1p-26,
        0x1p-133,
        0x1p-134,
        0.1,
        -123.456
    };

    private PrimitiveCases() {}

    static List<Case> all(boolean deep) {
        int[] lengths = deep ? DEEP_LENGTHS : LENGTHS;
        List<Case> cases = new ArrayList<>();
        for (DType type : new DType[] {DType.BF16, DType.F16}) {
            for (int length : lengths) {
                cases.add(
                        new Case("math.cast", length + " of " + type, p -> cast(p, type, Pair.normal(length, length))));
            }
            cases.add(new Case("math.cast", "special values of " + type, p -> cast(p, type, SPECIAL)));
            cases.add(new Case("math.cast", "halfway cases of " + type, p -> cast(p, type, HALFWAY)));
        }
        for (UnaryOp op : UnaryOp.values()) {
            for (int length : lengths) {
                cases.add(new Case("math.map", op + " of " + length, p -> map(p, op, scattered(op, length))));
            }
            double[] special =
                    Arrays.stream(SPECIAL).filter(x -> isDefined(op, x)).toArray();
            cases.add(new Case("math.map", op + " of special values", p -> map(p, op, special)));
        }
        for (BinaryOp op : BinaryOp.values()) {
            for (int length : lengths) {
                cases.add(new Case(
                        "math.zip",
                        op + " of " + length,
                        p -> zip(p, op, left(op, Pair.normal(length, length)), Pair.normal(length, 7 + length))));
            }
            cases.add(new Case("math.zip", op + " of special values", p -> specialPairs(p, op)));
        }
        cases.addAll(broadcasts());
        cases.add(new Case("math.zip", "integers with floats and integers", PrimitiveCases::zipIntegers));
        for (int length : lengths) {
            cases.add(new Case("math.select", "of " + length, p -> select(p, length)));
            cases.add(new Case("math.iota", "of " + length, p -> iota(p, length)));
        }
        cases.addAll(reductions(deep));
        cases.addAll(uniforms(lengths));
        return cases;
    }

    private static void cast(Pair p, DType type, double[] values) {
        Pair.Both x = p.floats(values);
        Pair.Both half = p.output(type, values.length);
        Pair.Both back = p.output(values.length);
        p.run(b -> {
            b.math().cast(x.on(b), half.on(b));
            b.math().cast(half.on(b), back.on(b));
        });
        // The reference holds numbers of every type in its own.
        Pair.Both rounded = p.floats(type, x.expected());
        p.requireEqual("cast to " + type, half.actual(), rounded.expected());
        p.requireEqual("cast from " + type, back.actual(), rounded.expected());
    }

    /** Every third number is eight times as large. */
    private static double[] scattered(UnaryOp op, int length) {
        double[] values = Pair.normal(length, 31 * op.ordinal() + length);
        for (int i = 0; i < length; i += 3) {
            values[i] *= 8;
        }
        return values;
    }

    /** False where the formula itself is indeterminate or no digit of the result is meaningful. */
    private static boolean isDefined(UnaryOp op, double x) {
        return switch (op) {
            case SIN, COS -> !(Math.abs(x) > 1e4) || Double.isInfinite(x);
            case GELU -> !Double.isInfinite(x);
            default -> true;
        };
    }

    private static void map(Pair p, UnaryOp op, double[] values) {
        Pair.Both x = p.floats(values);
        Pair.Both y = p.output(values.length);
        p.run(b -> b.math().map(op, x.on(b), y.on(b)));
        double[] given = x.expected();
        double[] bounds = y.expected();
        Arrays.setAll(bounds, i -> mapBound(op, given[i], bounds[i]));
        y.isWithin(bounds, op.name());
        p.run(b -> b.math().map(op, x.on(b), x.on(b)));
        x.isWithin(bounds, op + " in place");
    }

    /** Units of rounding: a few of the result, and what one rounding of the argument changes it by. */
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

    /** Gradients from the output take outputs. */
    private static double[] left(BinaryOp op, double[] a) {
        return switch (op) {
            case TANH_GRADIENT ->
                Arrays.stream(a).map(x -> (float) Math.tanh(x)).toArray();
            case SIGMOID_GRADIENT ->
                Arrays.stream(a).map(x -> (float) (1 / (1 + Math.exp(-x)))).toArray();
            default -> a;
        };
    }

    private static void specialPairs(Pair p, BinaryOp op) {
        double[] special = Arrays.stream(SPECIAL)
                .filter(a -> !op.name().endsWith("_GRADIENT") || Math.abs(a) <= 20)
                .toArray();
        double[] left = new double[special.length * special.length];
        double[] right = new double[left.length];
        Arrays.setAll(left, i -> special[i / special.length]);
        Arrays.setAll(right, i -> special[i % special.length]);
        zip(p, op, left(op, left), right);
    }

    private static void zip(Pair p, BinaryOp op, double[] left, double[] right) {
        Pair.Both a = p.floats(left);
        Pair.Both b = p.floats(right);
        Pair.Both y = p.output(left.length);
        int[] shape = {left.length};
        int[] dense = {1};
        p.run(d -> d.math().zip(op, shape, a.on(d), dense, b.on(d), dense, y.on(d)));
        double[] bounds = y.expected();
        Arrays.setAll(bounds, i -> zipBound(op, Math.abs(left[i]), Math.abs(right[i]), Math.abs(bounds[i])));
        y.isWithin(bounds, op.name());
        p.run(d -> d.math().zip(op, shape, a.on(d), dense, b.on(d), dense, b.on(d)));
        b.isWithin(bounds, op + " in place");
    }

    private static double zipBound(BinaryOp op, double a, double b, double y) {
        double bound = switch (op) {
            case ADD, SUBTRACT, MULTIPLY -> y;
            case DIVIDE, SIGMOID_GRADIENT -> 4 * y;
            case TANH_GRADIENT -> 4 * b;
            // (1 - tanh^2) loses its digits and is multiplied by a cubic.
            case GELU_GRADIENT -> 16 * (1 + a * a * a) * b;
            default -> 0;
        };
        return Double.isFinite(bound) ? bound : 0;
    }

    private static List<Case> broadcasts() {
        int[][] shapes = {{1}, {7}, {3, 5}, {33, 17}, {5, 8}, {2, 3, 5}, {3, 4, 8}, {2, 1, 3, 7}, {2, 2, 3, 1, 2, 5}};
        List<Case> cases = new ArrayList<>();
        for (int[] shape : shapes) {
            for (int kind = 0; kind < 5; kind++) {
                int[] a = strides(shape, kind);
                int[] b = strides(shape, (kind + 2) % 5);
                String name =
                        Arrays.toString(shape) + " of strides " + Arrays.toString(a) + " and " + Arrays.toString(b);
                cases.add(new Case("math.zip", name, p -> broadcast(p, shape, a, b, name)));
            }
        }
        return cases;
    }

    private static void broadcast(Pair p, int[] shape, int[] strideA, int[] strideB, String name) {
        Pair.Both a = p.floats(Pair.normal(reach(shape, strideA), 1));
        Pair.Both b = p.floats(Pair.normal(reach(shape, strideB), 2));
        Pair.Both y = p.output(RowMajor.size(shape));
        p.run(d -> d.math().zip(BinaryOp.SUBTRACT, shape, a.on(d), strideA, b.on(d), strideB, y.on(d)));
        y.isWithin(Pair.abs(y.expected()), name);
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

    private static void zipIntegers(Pair p) {
        Pair.Both a = p.ints(3, -2, 7, 7, 16777215);
        Pair.Both b = p.floats(3, -2.5, 8, 7, 0);
        Pair.Both c = p.ints(3, 2, 7);
        Pair.Both y = p.output(5);
        Pair.Both z = p.output(15);
        int[] dense = {1};
        for (BinaryOp op : new BinaryOp[] {BinaryOp.EQUAL, BinaryOp.LESS, BinaryOp.ADD}) {
            p.run(d -> d.math().zip(op, new int[] {5}, a.on(d), dense, b.on(d), dense, y.on(d)));
            y.isExact(op + " of integers and floats");
            p.run(d ->
                    d.math().zip(op, new int[] {5, 3}, a.on(d), new int[] {1, 0}, c.on(d), new int[] {0, 1}, z.on(d)));
            z.isWithin(Pair.abs(z.expected()), op + " of integers");
        }
    }

    /** NaN in what is not chosen, and as a condition. */
    private static void select(Pair p, int length) {
        double[] chosen = new double[length];
        Arrays.setAll(chosen, i -> i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : Double.NaN);
        Pair.Both condition = p.floats(chosen);
        Pair.Both a = p.floats(Pair.normal(length, 1));
        Pair.Both b =
                p.floats(Arrays.stream(chosen).map(x -> x == 0 ? 4 : Double.NaN).toArray());
        Pair.Both y = p.output(length);
        p.run(d -> d.math().select(condition.on(d), a.on(d), b.on(d), y.on(d)));
        y.isExact("select of " + length);
        p.run(d -> d.math().select(condition.on(d), a.on(d), b.on(d), a.on(d)));
        a.isExact("select in place of " + length);
    }

    private static void iota(Pair p, int length) {
        Pair.Both y = p.output(length);
        p.run(b -> b.math().iota(-2, 0.25, y.on(b)));
        y.isExact("iota of " + length);
        p.run(b -> b.math().iota(0.1, 0.3, y.on(b)));
        y.isWithin(4 * (0.1 + 0.3 * length), "iota of inexact steps");
        Pair.Both integers = p.integerOutput(length);
        p.run(b -> b.math().iota(100, -3, integers.on(b)));
        integers.isSameIntegers("iota of " + length + " integers");
    }

    private static List<Case> reductions(boolean deep) {
        int[][] shapes = {
            {1, 1, 1},
            {5, 97, 1},
            {1, 97, 5},
            {3, 17, 13},
            {2, 3, 131},
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
        int[][] all = Case.shapes(deep, shapes, new int[] {33, 4099, 17}, new int[] {1, 1_000_003, 1});
        List<Case> cases = new ArrayList<>(Case.each("math.reduce", all, PrimitiveCases::reduce));
        for (ReduceOp op : ReduceOp.values()) {
            for (double special : new double[] {Double.NaN, INFINITY, -INFINITY}) {
                cases.add(new Case("math.reduce", op + " with " + special, p -> reduce(p, op, special)));
            }
        }
        return cases;
    }

    private static void reduce(Pair p, int[] s, String what) {
        double[] values = Pair.normal(s[0] * s[1] * s[2], s[1]);
        Pair.Both x = p.floats(values);
        Pair.Both magnitudes = p.floats(Pair.abs(values));
        Pair.Both y = p.output((long) s[0] * s[2]);
        p.reference.math().reduce(ReduceOp.SUM, s[0], s[1], s[2], magnitudes.on(p.reference), y.on(p.reference));
        double[] bounds = Arrays.stream(y.expected())
                .map(sum -> 4 * Math.sqrt(s[1]) * sum)
                .toArray();
        for (ReduceOp op : ReduceOp.values()) {
            p.run(b -> b.math().reduce(op, s[0], s[1], s[2], x.on(b), y.on(b)));
            y.isWithin(op == ReduceOp.SUM ? bounds : new double[bounds.length], op + ", " + what);
        }
    }

    private static void reduce(Pair p, ReduceOp op, double special) {
        for (int at : new int[] {0, 7, 16, 96}) {
            double[] values = Pair.normal(97, 3);
            values[at] = special;
            Pair.Both x = p.floats(values);
            Pair.Both y = p.output(1);
            p.run(b -> b.math().reduce(op, 1, 97, 1, x.on(b), y.on(b)));
            y.isExact(op + " with " + special + " at " + at);
            Pair.Both columns = p.output(97);
            p.run(b -> b.math().reduce(op, 1, 1, 97, x.on(b), columns.on(b)));
            columns.isExact(op + " over one row with " + special);
        }
    }

    private static List<Case> uniforms(int[] lengths) {
        long[][] positions = {
            {0, 0, 0}, {1, 2, 3}, {-1, -1, 5}, {0x123456789ABCDEFL, 1L << 40, (1L << 34) + 2}, {7, -5, (1L << 33) - 3}
        };
        List<Case> cases = new ArrayList<>();
        for (long[] at : positions) {
            for (int length : lengths) {
                String name = length + " at " + Arrays.toString(at);
                cases.add(new Case("math.uniform", name, p -> uniform(p, at, length, name)));
            }
        }
        return cases;
    }

    private static void uniform(Pair p, long[] at, int length, String name) {
        Pair.Both y = p.output(length);
        p.run(b -> b.math().uniform(new RandomRange(at[0], at[1], at[2]), y.on(b)));
        y.isExact("uniform of " + name);
        p.require(
                Arrays.stream(y.actual()).allMatch(u -> u > 0 && u < 1),
                "uniform of " + name + " has numbers outside the open interval from 0 to 1");
    }
}
