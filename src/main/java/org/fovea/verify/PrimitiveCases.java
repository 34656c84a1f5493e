package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;

/** Elementwise operations, reductions, rearrangements, rows by index and random numbers. */
final class PrimitiveCases {
    private static final int[] LENGTHS = {1, 2, 3, 31, 97, 1031};
    private static final int[] DEEP_LENGTHS = {1, 2, 3, 5, 31, 33, 97, 207, 1031, 65_537, 1_000_003};

    private PrimitiveCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>();
        for (int length : deep ? DEEP_LENGTHS : LENGTHS) {
            for (DType type : new DType[] {DType.BF16, DType.F16}) {
                cases.add(new Case("cast", length + " of " + type, p -> cast(p, type, length)));
            }
            for (UnaryOp op : UnaryOp.values()) {
                cases.add(new Case("map", op + " of " + length, p -> map(p, op, length)));
            }
            for (BinaryOp op : BinaryOp.values()) {
                cases.add(new Case("zip", op + " of " + length, p -> zip(p, op, length)));
            }
            cases.add(new Case("select", "of " + length, p -> select(p, length)));
            cases.add(new Case("iota", "of " + length, p -> iota(p, length)));
            cases.add(new Case("uniform", "of " + length, p -> uniform(p, length)));
        }
        int[][] reductions = {{1, 1, 1}, {3, 97, 1}, {5, 207, 3}, {1, 4099, 1}, {2, 3, 131}};
        int[][] deepReductions = {{1, 1, 1}, {3, 97, 1}, {5, 207, 3}, {2, 3, 131}, {33, 4099, 17}, {1, 1_000_003, 1}};
        cases.addAll(Case.each("reduce", deep ? deepReductions : reductions, PrimitiveCases::reduce));
        int[][] cubes = {{2, 3, 5}, {13, 31, 7}, {97, 131, 33}};
        cases.addAll(Case.each("arrange", Arrays.copyOf(cubes, deep ? 3 : 2), PrimitiveCases::arrange));
        int[][] tables = {{5, 3, 17}, {31, 13, 207}, {997, 130, 20_011}};
        cases.addAll(Case.each("gatherRows", Arrays.copyOf(tables, deep ? 3 : 2), PrimitiveCases::gather));
        cases.addAll(Case.each("scatterAddRows", Arrays.copyOf(tables, deep ? 3 : 2), PrimitiveCases::scatter));
        return cases;
    }

    private static void cast(Pair p, DType type, int length) {
        Pair.Both x = p.floats(Pair.normal(length, length));
        Pair.Both half = p.output(type, length);
        Pair.Both back = p.output(length);
        p.run(b -> {
            b.math().cast(x.on(b), half.on(b));
            b.math().cast(half.on(b), back.on(b));
        });
        // The reference holds numbers of every type in its own.
        Pair.Both rounded = p.floats(type, x.expected());
        p.requireEqual("cast to " + type, half.actual(), rounded.expected());
        p.requireEqual("cast from " + type, back.actual(), rounded.expected());
    }

    private static void map(Pair p, UnaryOp op, int length) {
        boolean forPositive =
                op == UnaryOp.LOG || op == UnaryOp.SQRT || op == UnaryOp.RSQRT || op == UnaryOp.RECIPROCAL;
        double[] values = Arrays.stream(Pair.normal(length, length))
                .map(x -> forPositive ? (float) (Math.abs(x) + 0.125) : x)
                .toArray();
        Pair.Both x = p.floats(values);
        Pair.Both y = p.output(length);
        p.run(b -> b.math().map(op, x.on(b), y.on(b)));
        double[] bounds = y.expected();
        // One rounding of an argument of up to 6 changes no result by more than this.
        Arrays.setAll(bounds, i -> 8 * (1 + Math.abs(values[i]) + Math.abs(bounds[i]) * (1 + Math.abs(values[i]))));
        y.isWithin(bounds, op + " of " + length);
    }

    /** A matrix with a row. */
    private static void zip(Pair p, BinaryOp op, int length) {
        int rows = Math.min(length, 7);
        int columns = Math.max(1, length / rows);
        double[] left = Pair.normal(rows * columns, 1);
        double[] right = Arrays.stream(Pair.normal(columns, 2))
                .map(x -> op == BinaryOp.DIVIDE ? (float) (x + Math.copySign(0.5, x)) : x)
                .toArray();
        Pair.Both a = p.floats(left);
        Pair.Both c = p.floats(right);
        Pair.Both y = p.output(left.length);
        p.run(b -> b.math()
                .zip(
                        op,
                        new int[] {rows, columns},
                        a.on(b),
                        new int[] {columns, 1},
                        c.on(b),
                        new int[] {0, 1},
                        y.on(b)));
        double[] bounds = y.expected();
        Arrays.setAll(
                bounds, i -> 8 * ((1 + left[i] * left[i]) * (1 + Math.abs(right[i % columns])) + Math.abs(bounds[i])));
        y.isWithin(bounds, op + " of " + rows + " x " + columns);
    }

    private static void select(Pair p, int length) {
        Pair.Both condition =
                p.floats(new Random(length).ints(length, 0, 2).asDoubleStream().toArray());
        Pair.Both a = p.floats(Pair.normal(length, 1));
        Pair.Both c = p.floats(Pair.normal(length, 2));
        Pair.Both y = p.output(length);
        p.run(b -> b.math().select(condition.on(b), a.on(b), c.on(b), y.on(b)));
        y.isExact("select of " + length);
    }

    private static void iota(Pair p, int length) {
        Pair.Both y = p.output(length);
        p.run(b -> b.math().iota(-2, 0.5, y.on(b)));
        y.isExact("iota of " + length);
        Pair.Both integers = p.integerOutput(length);
        p.run(b -> b.math().iota(100, -3, integers.on(b)));
        integers.isSameIntegers("iota of " + length + " integers");
    }

    private static void uniform(Pair p, int length) {
        Pair.Both y = p.output(length);
        p.run(b -> b.math().uniform(new RandomRange(0x123456789ABCDEFL + length, 7, 5), y.on(b)));
        y.isExact(length + " uniform numbers");
    }

    private static void reduce(Pair p, int[] s, String what) {
        double[] values = Pair.normal(s[0] * s[1] * s[2], s[1]);
        Pair.Both x = p.floats(values);
        Pair.Both magnitudes = p.floats(Pair.abs(values));
        Pair.Both y = p.output((long) s[0] * s[2]);
        p.run(b -> b.math().reduce(ReduceOp.SUM, s[0], s[1], s[2], magnitudes.on(b), y.on(b)));
        double[] sums = y.expected();
        p.run(b -> b.math().reduce(ReduceOp.SUM, s[0], s[1], s[2], x.on(b), y.on(b)));
        y.isWithin(Arrays.stream(sums).map(sum -> s[1] * sum).toArray(), what + ", sums over the middle");
        p.run(b -> b.math().reduce(ReduceOp.MAX, s[0], s[1], s[2], x.on(b), y.on(b)));
        y.isExact(what + ", maxima over the middle");
    }

    /** The axes of a cube, turned around. */
    private static void arrange(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1] * s[2], 1));
        Pair.Both y = p.output((long) s[0] * s[1] * s[2]);
        p.run(b -> b.math()
                .arrange(s, x.on(b), new int[] {s[1] * s[2], s[2], 1}, y.on(b), new int[] {1, s[0], s[0] * s[1]}));
        y.isExact(what);
    }

    private static int[] indices(int[] c) {
        return new Random(3).ints(c[2], 0, c[0]).toArray();
    }

    private static void gather(Pair p, int[] c, String what) {
        Pair.Both table = p.floats(Pair.normal(c[0] * c[1], 1));
        Pair.Both index = p.ints(indices(c));
        Pair.Both y = p.output((long) c[2] * c[1]);
        p.run(b -> b.math().gatherRows(table.on(b), c[1], index.on(b), y.on(b)));
        y.isExact(what);
    }

    private static void scatter(Pair p, int[] c, String what) {
        double[] values = Pair.normal(c[0] * c[1], 1);
        double[] added = Pair.normal(c[2] * c[1], 2);
        int[] indices = indices(c);
        double[] magnitudes = Pair.abs(values);
        IntStream.range(0, added.length)
                .forEach(i -> magnitudes[indices[i / c[1]] * c[1] + i % c[1]] += Math.abs(added[i]));
        Pair.Both table = p.floats(values);
        Pair.Both x = p.floats(added);
        Pair.Both index = p.ints(indices);
        p.run(b -> b.math().scatterAddRows(x.on(b), c[1], index.on(b), table.on(b)));
        table.isWithin(Arrays.stream(magnitudes).map(m -> c[2] * m).toArray(), what);
    }
}
