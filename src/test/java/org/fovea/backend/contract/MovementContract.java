package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Strided copies, gathers and scatters. */
interface MovementContract extends ContractFixture {

    @Test
    default void arrangePermutesAxes() {
        int[] from = {2, 3, 5, 7};
        int[] dense = RowMajor.strides(from);
        int[][] permutations = {{0, 1, 2, 3}, {0, 2, 1, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {0, 1, 3, 2}};
        for (int[] order : permutations) {
            int[] shape = Arrays.stream(order).map(axis -> from[axis]).toArray();
            int[] strideX = Arrays.stream(order).map(axis -> dense[axis]).toArray();
            try (Pair p = pair()) {
                Pair.Both x = p.floats(Pair.normal(210, 1));
                Pair.Both y = p.output(210);
                p.run(b -> b.math().arrange(shape, x.on(b), strideX, y.on(b), RowMajor.strides(shape)));
                y.isExact("permutation " + Arrays.toString(order));
                Pair.Both i = p.ints(Arrays.stream(Pair.normal(210, 2))
                        .mapToInt(v -> (int) (1e6 * v))
                        .toArray());
                Pair.Both j = p.integerOutput(210);
                p.run(b -> b.math().arrange(shape, i.on(b), strideX, j.on(b), RowMajor.strides(shape)));
                j.isSameIntegers("permutation " + Arrays.toString(order));
            }
        }
    }

    @Test
    default void arrangeMovesWholeVectors() {
        try (Pair p = pair()) {
            Pair.Both x = p.floats(Pair.normal(48, 1));
            Pair.Both y = p.output(48);
            p.run(b -> b.math()
                    .arrange(new int[] {2, 3, 8}, x.on(b), new int[] {8, 16, 1}, y.on(b), new int[] {24, 8, 1}));
            y.isExact("exchange of the first two axes");
            p.run(b -> b.math().arrange(new int[] {3, 4}, x.on(b), new int[] {6, 1}, y.on(b), new int[] {8, 1}));
            y.isExact("rows that start between vectors");
        }
    }

    @Test
    default void arrangeWritesOnlyWhatItNames() {
        try (Pair p = pair()) {
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
            Pair.Both six = p.floats(Pair.normal(48, 3));
            Pair.Both z = p.output(48);
            p.run(b -> b.math()
                    .arrange(
                            new int[] {2, 1, 3, 2, 2, 2}, six.on(b), new int[] {1, 5, 16, 2, 8, 4}, z.on(b), new int[] {
                                24, 24, 8, 4, 2, 1
                            }));
            z.isExact("six axes");
        }
    }

    @Test
    default void gathersAndScattersRows() {
        for (int width : new int[] {1, 2, 3, 4, 5, 6, 13, 17, 31, 33, 64, 97, 207}) {
            int[] indices = {3, 0, 4, 3, 3, 1, 0};
            try (Pair p = pair()) {
                Pair.Both table = p.floats(Pair.normal(5 * width, width));
                Pair.Both index = p.ints(indices);
                Pair.Both y = p.output(7L * width);
                p.run(b -> b.math().gatherRows(table.on(b), width, index.on(b), y.on(b)));
                y.isExact("gatherRows of width " + width);
                Pair.Both integers = p.ints(Arrays.stream(Pair.normal(5 * width, 2))
                        .mapToInt(v -> (int) (1e6 * v))
                        .toArray());
                Pair.Both j = p.integerOutput(7 * width);
                p.run(b -> b.math().gatherRows(integers.on(b), width, index.on(b), j.on(b)));
                j.isSameIntegers("gatherRows of integers");
                Pair.Both x = p.floats(Pair.normal(7 * width, 9));
                p.run(b -> b.math().scatterAddRows(x.on(b), width, index.on(b), table.on(b)));
                table.isWithin(4 * 4 * 5, "scatterAddRows of width " + width);
            }
        }
    }

    /** More rows than a block of threads has, over tables in which a row occurs often, seldom or never. */
    @Test
    default void scattersManyRows() {
        for (int tableRows : new int[] {1, 2, 33, 1031}) {
            int count = 1031;
            int width = 5;
            try (Pair p = pair()) {
                int[] indices = new Random(tableRows)
                        .ints(count, 0, tableRows)
                        .map(i -> i / 3 * 3)
                        .toArray();
                Pair.Both index = p.ints(indices);
                Pair.Both x = p.floats(Pair.normal(count * width, 1));
                Pair.Both table = p.floats(Pair.normal(tableRows * width, 2));
                p.run(b -> b.math().scatterAddRows(x.on(b), width, index.on(b), table.on(b)));
                double[] occurrences = new double[tableRows * width];
                for (int i : indices) {
                    for (int column = 0; column < width; column++) {
                        occurrences[i * width + column]++;
                    }
                }
                double[] bounds = Arrays.stream(occurrences)
                        .map(n -> 4 * Math.sqrt(n) * (n + 1) * Pair.largest(x.expected()))
                        .toArray();
                table.isWithin(bounds, "scatterAddRows to " + tableRows + " rows");
            }
        }
    }

    /** Where nothing looks at indices beforehand, a bad one must show in the result and touch nothing else. */
    @Test
    default void badIndicesStayInside() {
        if (refusesBadIndices()) {
            return;
        }
        for (int width : new int[] {1, 3, 8}) {
            int[] indices = {-1, 2, 5, Integer.MIN_VALUE, Integer.MAX_VALUE, 4};
            double[] values = Pair.normal(5 * width, 1);
            try (Pair p = pair()) {
                Pair.Both table = p.floats(values);
                Pair.Both index = p.ints(indices);
                Pair.Both y = p.output((long) indices.length * width);
                tested().math().gatherRows(table.on(tested()), width, index.on(tested()), y.on(tested()));
                double[] gathered = y.actual();
                Pair.Both x = p.floats(Pair.normal(indices.length * width, 2));
                double[] added = x.actual();
                tested().math().scatterAddRows(x.on(tested()), width, index.on(tested()), table.on(tested()));
                double[] sums = table.actual();
                for (int column = 0; column < width; column++) {
                    for (int i = 0; i < indices.length; i++) {
                        boolean inside = indices[i] == 2 || indices[i] == 4;
                        double expected = inside ? values[indices[i] * width + column] : Double.NaN;
                        assertThat(gathered[i * width + column]).isEqualTo(Double.valueOf(expected));
                        if (inside) {
                            double sum = (float) expected + (float) added[i * width + column];
                            assertThat(sums[indices[i] * width + column]).isEqualTo((float) sum);
                        }
                    }
                    assertThat(sums[column]).isEqualTo(values[column]);
                }
            }
        }
    }

    @Test
    default void badIndicesAreRefused() {
        if (!refusesBadIndices()) {
            return;
        }
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            DeviceArray table = scope.allocate(b.memory().floatType(), 10);
            DeviceArray rows = scope.allocate(b.memory().floatType(), 2);
            DeviceArray index = scope.allocate(DType.I32, 1);
            for (int bad : new int[] {-1, 5, Integer.MAX_VALUE}) {
                b.memory().fill(index, bad);
                assertThatThrownBy(() -> b.math().gatherRows(table, 2, index, rows))
                        .isInstanceOf(IndexOutOfBoundsException.class);
                assertThatThrownBy(() -> b.math().scatterAddRows(rows, 2, index, table))
                        .isInstanceOf(IndexOutOfBoundsException.class);
            }
        }
    }
}
