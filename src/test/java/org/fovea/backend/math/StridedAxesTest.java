// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class StridedAxesTest {

    @Test
    void neighboursAreMergedWhereBothArraysGoOn() {
        StridedAxes axes = StridedAxes.of(new int[] {2, 3, 4, 5}, new int[] {60, 20, 5, 1}, new int[] {0, 0, 5, 1});
        assertThat(axes.shape()).containsExactly(6, 20);
        assertThat(axes.first()).containsExactly(20, 1);
        assertThat(axes.second()).containsExactly(0, 1);
        assertThat(axes.count()).isEqualTo(2);
        assertThat(axes.extent(1)).isEqualTo(6);
    }

    @Test
    void unitAxesAreLeftOutWhateverTheirStrides() {
        StridedAxes axes =
                StridedAxes.of(new int[] {1, 7, 1, 3, 1}, new int[] {9, 3, 8, 1, 5}, new int[] {0, 3, 2, 1, 4});
        assertThat(axes.shape()).containsExactly(21);
        assertThat(axes.first()).containsExactly(1);
        assertThat(axes.second()).containsExactly(1);
    }

    @Test
    void aScalarHasOneAxisOfOneElement() {
        StridedAxes axes = StridedAxes.of(new int[] {1, 1}, new int[] {1, 1}, new int[] {1, 1});
        assertThat(axes.count()).isZero();
        assertThat(axes.shape()).containsExactly(1);
        assertThat(StridedAxes.of(new int[0], new int[0], new int[0]).shape()).containsExactly(1);
    }

    /** The product of their extents would not be one of an axis. */
    @Test
    void axesOfMoreElementsThanAnIntCountsStayApart() {
        int[] broadcast = {0, 0};
        StridedAxes axes = StridedAxes.of(new int[] {1 << 16, 1 << 16}, broadcast, broadcast);
        assertThat(axes.shape()).containsExactly(1 << 16, 1 << 16);
    }

    @Test
    void oneObjectServesAnotherOperation() {
        StridedAxes axes = new StridedAxes();
        axes.set(new int[] {2, 3, 4}, new int[] {1, 2, 6}, new int[] {12, 4, 1});
        assertThat(axes.count()).isEqualTo(3);
        axes.set(new int[] {8}, new int[] {1}, new int[] {1});
        assertThat(axes.shape()).containsExactly(1, 1, 1, 1, 1, 8);
        assertThat(axes.first()).containsExactly(0, 0, 0, 0, 0, 1);
    }

    @Test
    void neighboursBecomeOneElementWhereEveryRowHasThemTogether() {
        StridedAxes axes = new StridedAxes();
        axes.set(new int[] {3, 8}, new int[] {12, 1}, new int[] {0, 1});
        assertThat(axes.divide(4)).isTrue();
        assertThat(axes.extent(0)).isEqualTo(2);
        assertThat(axes.first(1)).isEqualTo(3);
        axes.set(new int[] {3, 8}, new int[] {9, 1}, new int[] {8, 1});
        assertThat(axes.divide(4)).isFalse();
        assertThat(axes.extent(0)).isEqualTo(8);
    }
}
