// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Rows by indices outside a table. */
interface IndexContract extends ContractFixture {

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
