// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PartitionTest {

    @Test
    void partsFollowEachOtherAndDifferByAtMostOneUnit() {
        for (int units : new int[] {0, 1, 6, 13, 207, Integer.MAX_VALUE}) {
            for (int parts : new int[] {1, 2, 5, 8, 64}) {
                int end = 0;
                for (int part = 0; part < parts; part++) {
                    assertThat(Partition.start(units, part, parts)).isEqualTo(end);
                    int size = Partition.size(units, part, parts);
                    assertThat(size).isBetween(units / parts, (units - 1) / parts + 1);
                    end += size;
                }
                assertThat(end).isEqualTo(units);
            }
        }
    }
}
