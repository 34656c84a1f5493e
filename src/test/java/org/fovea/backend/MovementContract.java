package org.fovea.backend;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Strided copies, gathers and scatters. */
interface MovementContract extends ContractFixture {

    @Test
    default void arrangePermutesAxes() {
        int[] from = {2, 3, 5, 7};
        int[] dense = Formula.rowMajor(from);
        int[][] permutations = {{0, 1, 2, 3}, {0, 2, 1, 3}, {3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}, {0, 1, 3, 2}};
        for (int[] order : permutations) {
            int[] shape = Arrays.stream(order).map(axis -> from[axis]).toArray();
            int[] strideX = Arrays.stream(order).map(axis -> dense[axis]).toArray();
            try (Pair p = pair()) {
                Pair.Both x = p.floats(Pair.normal(210, 1));
                Pair.Both y = p.output(210);
                p.run(b -> b.arrange(shape, x.on(b), strideX, y.on(b), Formula.rowMajor(shape)));
                y.isExact("permutation " + Arrays.toString(order));
                Pair.Both i = p.ints(Arrays.stream(Pair.normal(210, 2))
                        .mapToInt(v -> (int) (1e6 * v))
                        .toArray());
                Pair.Both j = p.integerOutput(210);
                p.run(b -> b.arrange(shape, i.on(b), strideX, j.on(b), Formula.rowMajor(shape)));
                j.isSameIntegers("permutation " + Arrays.toString(order));
            }
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
                b.fill(y.on(b), -1);
                b.arrange(new int[] {3, 5}, left.on(b), new int[] {5, 1}, y.on(b), strides);
                b.arrange(new int[] {3, 2}, row.on(b), new int[] {0, 1}, y.on(b).slice(5, 19), strides);
            });
            y.isExact("concatenation along the last axis");
            Pair.Both six = p.floats(Pair.normal(48, 3));
            Pair.Both z = p.output(48);
            p.run(b -> b.arrange(
                    new int[] {2, 1, 3, 2, 2, 2}, six.on(b), new int[] {1, 5, 16, 2, 8, 4}, z.on(b), new int[] {
                        24, 24, 8, 4, 2, 1
                    }));
            z.isExact("six axes");
        }
    }

    @Test
    default void gathersAndScattersRows() {
        for (int width : AWKWARD) {
            int[] indices = {3, 0, 4, 3, 3, 1, 0};
            try (Pair p = pair()) {
                Pair.Both table = p.floats(Pair.normal(5 * width, width));
                Pair.Both index = p.ints(indices);
                Pair.Both y = p.output(7L * width);
                p.run(b -> b.gatherRows(table.on(b), width, index.on(b), y.on(b)));
                y.isExact("gatherRows of width " + width);
                Pair.Both integers = p.ints(Arrays.stream(Pair.normal(5 * width, 2))
                        .mapToInt(v -> (int) (1e6 * v))
                        .toArray());
                Pair.Both j = p.integerOutput(7 * width);
                p.run(b -> b.gatherRows(integers.on(b), width, index.on(b), j.on(b)));
                j.isSameIntegers("gatherRows of integers");
                Pair.Both x = p.floats(Pair.normal(7 * width, 9));
                p.run(b -> b.scatterAddRows(x.on(b), width, index.on(b), table.on(b)));
                table.isWithin(4 * 4 * 5, "scatterAddRows of width " + width);
            }
        }
    }

    @Test
    default void badIndicesAreRefused() {
        if (!refusesBadIndices()) {
            return;
        }
        Backend b = tested();
        try (Scope scope = b.openScope()) {
            DeviceArray table = scope.allocate(b.floatType(), 10);
            DeviceArray rows = scope.allocate(b.floatType(), 2);
            DeviceArray index = scope.allocate(DType.I32, 1);
            for (int bad : new int[] {-1, 5, Integer.MAX_VALUE}) {
                b.fill(index, bad);
                assertThatThrownBy(() -> b.gatherRows(table, 2, index, rows))
                        .isInstanceOf(IndexOutOfBoundsException.class);
                assertThatThrownBy(() -> b.scatterAddRows(rows, 2, index, table))
                        .isInstanceOf(IndexOutOfBoundsException.class);
            }
        }
    }
}
