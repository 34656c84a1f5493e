// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.RowMajor;

/** Strided copies, gathers and scatters. */
final class MovementCases {
    private MovementCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>();
        int[][] cubes = {{2, 3, 5}, {13, 31, 7}};
        cases.addAll(
                Case.each("math.arrange", Case.shapes(deep, cubes, new int[] {97, 131, 33}), MovementCases::reverse));
        int[][] orders = {{0, 1, 2, 3}, {0, 2, 1, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {0, 1, 3, 2}};
        for (int[] order : orders) {
            String name = "axes in the order " + Arrays.toString(order);
            cases.add(new Case("math.arrange", name, p -> permute(p, order, name)));
        }
        cases.add(new Case("math.arrange", "whole vectors", MovementCases::vectors));
        cases.add(new Case("math.arrange", "concatenation", MovementCases::concatenate));
        cases.add(new Case("math.arrange", "six axes", MovementCases::sixAxes));
        cases.add(new Case("math.accumulate", "every other row and column", MovementCases::accumulate));
        cases.add(new Case("math.accumulate", "whole vectors", MovementCases::accumulateVectors));
        // Also more than a kernel takes at once.
        for (int tables : new int[] {2, 5, 11}) {
            cases.add(new Case("math.gatherRows", tables + " tables", p -> gatherAll(p, tables, 3)));
            cases.add(new Case("math.gatherRows", tables + " tables of vectors", p -> gatherAll(p, tables, 4)));
        }
        for (int width : new int[] {1, 3, 4, 12, 33}) {
            cases.add(new Case("math.placeRows", "of width " + width + " in one table", p -> place(p, width)));
            cases.add(new Case("math.placeRows", "of width " + width + " in each table", p -> placeInEach(p, width)));
        }
        int[] fewIndices = {3, 0, 4, 3, 3, 1, 0};
        for (int width : new int[] {1, 2, 3, 4, 5, 6, 13, 17, 31, 33, 64, 97, 207}) {
            cases.add(new Case("math.gatherRows", "7 of width " + width, p -> gather(p, 5, width, fewIndices)));
            cases.add(new Case("math.scatterAddRows", "7 of width " + width, p -> scatter(p, 5, width, fewIndices)));
        }
        // More rows than a block of threads has, over tables in which a row occurs often, seldom or never.
        for (int rows : new int[] {1, 2, 33, 1031}) {
            int[] indices =
                    new Random(rows).ints(1031, 0, rows).map(i -> i / 3 * 3).toArray();
            cases.add(new Case("math.gatherRows", "1031 from " + rows, p -> gather(p, rows, 5, indices)));
            cases.add(new Case("math.scatterAddRows", "1031 to " + rows, p -> scatter(p, rows, 5, indices)));
        }
        if (deep) {
            int[] indices = new Random(3).ints(20_011, 0, 997).toArray();
            cases.add(new Case("math.gatherRows", "20011 from 997", p -> gather(p, 997, 130, indices)));
            cases.add(new Case("math.scatterAddRows", "20011 to 997", p -> scatter(p, 997, 130, indices)));
        }
        return cases;
    }

    /** Of 9 rows, in several tables at once; some are left out. */
    private static void place(Pair p, int width) {
        Pair.Both indices = p.ints(4, -1, 0, 12, 7, 11, 3, 900, -20);
        Pair.Both units = p.ints(0, 0, 0, 0, 0, 0, -1, 0, 0);
        Pair.Both rows = p.floats(Pair.normal(9 * width, 1));
        Pair.Both integers = p.ints(integers(9));
        for (boolean ofUnits : new boolean[] {false, true}) {
            Pair.Both table = p.floats(Pair.normal(12 * width, 2));
            Pair.Both ofIntegers = p.ints(integers(12));
            p.run(b -> b.math()
                    .placeRows(
                            ofUnits
                                    ? new RowPlaces(units.on(b), 5, indices.on(b), 0, 12, false)
                                    : RowPlaces.in(indices.on(b), 12),
                            List.of(
                                    new TableRows(table.on(b), width, rows.on(b)),
                                    new TableRows(ofIntegers.on(b), 1, integers.on(b)))));
            table.isExact("rows that were placed");
            ofIntegers.isSameIntegers("integers that were placed");
        }
    }

    /** More tables than a kernel takes at once, by places that go round and by places that end. */
    private static void placeInEach(Pair p, int width) {
        Pair.Both indices = p.ints(4, 0, 11, 5);
        List<Pair.Both> rows = new ArrayList<>();
        List<Pair.Both> rings = new ArrayList<>();
        List<Pair.Both> tables = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            rows.add(p.floats(Pair.normal(4 * width, i)));
            rings.add(p.floats(Pair.normal(4 * 5 * width, 20 + i)));
            tables.add(p.floats(Pair.normal(4 * 5 * width, 40 + i)));
        }
        p.run(b -> {
            b.math().placeRows(RowPlaces.inRings(indices.on(b), 5), of(b, rings, rows, width));
            b.math().placeRows(RowPlaces.inEach(indices.on(b), -4, 5), of(b, tables, rows, width));
        });
        for (int i = 0; i < 9; i++) {
            rings.get(i).isExact("ring " + i);
            tables.get(i).isExact("table " + i);
        }
    }

    private static List<TableRows> of(Backend b, List<Pair.Both> tables, List<Pair.Both> rows, int width) {
        return IntStream.range(0, rows.size())
                .mapToObj(i ->
                        new TableRows(tables.get(i).on(b), width, rows.get(i).on(b)))
                .toList();
    }

    /** The axes of a cube in reverse order, by strides of the target. */
    private static void reverse(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1] * s[2], 1));
        Pair.Both y = p.output((long) s[0] * s[1] * s[2]);
        p.run(b -> b.math()
                .arrange(s, x.on(b), new int[] {s[1] * s[2], s[2], 1}, y.on(b), new int[] {1, s[0], s[0] * s[1]}));
        y.isExact(what);
    }

    private static int[] integers(int length) {
        return Arrays.stream(Pair.normal(length, 2))
                .mapToInt(v -> (int) (1e6 * v))
                .toArray();
    }

    private static void permute(Pair p, int[] order, String what) {
        int[] from = {2, 3, 5, 7};
        int[] dense = RowMajor.strides(from);
        int[] shape = Arrays.stream(order).map(axis -> from[axis]).toArray();
        int[] strideX = Arrays.stream(order).map(axis -> dense[axis]).toArray();
        Pair.Both x = p.floats(Pair.normal(210, 1));
        Pair.Both y = p.output(210);
        p.run(b -> b.math().arrange(shape, x.on(b), strideX, y.on(b), RowMajor.strides(shape)));
        y.isExact(what);
        Pair.Both i = p.ints(integers(210));
        Pair.Both j = p.integerOutput(210);
        p.run(b -> b.math().arrange(shape, i.on(b), strideX, j.on(b), RowMajor.strides(shape)));
        j.isSameIntegers("integers, " + what);
    }

    private static void vectors(Pair p) {
        Pair.Both x = p.floats(Pair.normal(48, 1));
        Pair.Both y = p.output(48);
        p.run(b -> b.math().arrange(new int[] {2, 3, 8}, x.on(b), new int[] {8, 16, 1}, y.on(b), new int[] {24, 8, 1}));
        y.isExact("exchange of the first two axes");
        p.run(b -> b.math().arrange(new int[] {3, 4}, x.on(b), new int[] {6, 1}, y.on(b), new int[] {8, 1}));
        y.isExact("rows that start between vectors");
    }

    /** Of columns, the last row of which is repeated; what is between stays. */
    private static void concatenate(Pair p) {
        Pair.Both left = p.floats(Pair.normal(15, 1));
        Pair.Both row = p.floats(Pair.normal(2, 2));
        Pair.Both y = p.output(24);
        int[] strides = {8, 1};
        p.run(b -> {
            b.memory().fill(y.on(b), -1);
            b.math().arrange(new int[] {3, 5}, left.on(b), new int[] {5, 1}, y.on(b), strides);
            b.math()
                    .arrange(
                            new int[] {3, 2},
                            row.on(b),
                            new int[] {0, 1},
                            y.on(b).slice(5, 19),
                            strides);
        });
        y.isExact("concatenation along the last axis");
    }

    private static void sixAxes(Pair p) {
        Pair.Both x = p.floats(Pair.normal(48, 3));
        Pair.Both y = p.output(48);
        int[] shape = {2, 1, 3, 2, 2, 2};
        p.run(b -> b.math()
                .arrange(shape, x.on(b), new int[] {1, 5, 16, 2, 8, 4}, y.on(b), new int[] {24, 24, 8, 4, 2, 1}));
        y.isExact("six axes");
    }

    private static void accumulate(Pair p) {
        Pair.Both x = p.floats(Pair.normal(15, 1));
        Pair.Both y = p.floats(Pair.normal(60, 2));
        p.run(b -> b.math().accumulate(new int[] {3, 5}, x.on(b), new int[] {1, 3}, y.on(b), new int[] {20, 2}));
        y.isWithin(2, "every other row and column");
    }

    private static void accumulateVectors(Pair p) {
        Pair.Both x = p.floats(Pair.normal(2 * 3 * 8, 1));
        Pair.Both y = p.floats(Pair.normal(2 * 5 * 8, 2));
        p.run(b -> b.math()
                .accumulate(
                        new int[] {2, 3, 8},
                        x.on(b),
                        new int[] {24, 8, 1},
                        y.on(b).slice(16, 64),
                        new int[] {40, 8, 1}));
        y.isWithin(2, "the last rows of each part");
    }

    /** Tables of several widths and of both types. */
    private static void gatherAll(Pair p, int count, int width) {
        Pair.Both index = p.ints(new int[] {3, 0, 4, 3, 1});
        List<Pair.Both> tables = new ArrayList<>();
        List<Pair.Both> rows = new ArrayList<>();
        for (int t = 0; t < count; t++) {
            int length = 5 * width * (t + 1);
            boolean integers = t % 3 == 2;
            tables.add(integers ? p.ints(integers(length)) : p.floats(Pair.normal(length, t)));
            rows.add(integers ? p.integerOutput(length) : p.output(length));
        }
        p.run(b -> b.math()
                .gatherRows(
                        index.on(b),
                        IntStream.range(0, count)
                                .mapToObj(t -> new TableRows(
                                        tables.get(t).on(b),
                                        width * (t + 1),
                                        rows.get(t).on(b)))
                                .toList()));
        for (int t = 0; t < count; t++) {
            if (t % 3 == 2) {
                rows.get(t).isSameIntegers("integers of table " + t);
            } else {
                rows.get(t).isExact("table " + t);
            }
        }
    }

    private static void gather(Pair p, int rows, int width, int[] indices) {
        Pair.Both table = p.floats(Pair.normal(rows * width, width));
        Pair.Both index = p.ints(indices);
        Pair.Both y = p.output((long) indices.length * width);
        p.run(b -> b.math().gatherRows(table.on(b), width, index.on(b), y.on(b)));
        y.isExact("gatherRows of width " + width);
        Pair.Both integers = p.ints(integers(rows * width));
        Pair.Both j = p.integerOutput(indices.length * width);
        p.run(b -> b.math().gatherRows(integers.on(b), width, index.on(b), j.on(b)));
        j.isSameIntegers("gatherRows of integers of width " + width);
    }

    private static void scatter(Pair p, int rows, int width, int[] indices) {
        double[] values = Pair.normal(rows * width, 2);
        double[] added = Pair.normal(indices.length * width, 9);
        double[] bounds = Pair.abs(values);
        int[] terms = new int[rows];
        IntStream.range(0, added.length)
                .forEach(i -> bounds[indices[i / width] * width + i % width] += Math.abs(added[i]));
        IntStream.of(indices).forEach(row -> terms[row]++);
        Arrays.setAll(bounds, i -> 4 * Math.sqrt(terms[i / width]) * bounds[i]);
        Pair.Both table = p.floats(values);
        Pair.Both x = p.floats(added);
        Pair.Both index = p.ints(indices);
        p.run(b -> b.math().scatterAddRows(x.on(b), width, index.on(b), table.on(b)));
        table.isWithin(bounds, "scatterAddRows of " + indices.length + " to " + rows);
    }
}
