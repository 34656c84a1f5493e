// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class SpaceTest {
    private static final float INFINITY = Float.POSITIVE_INFINITY;

    @Test
    void aBoxHasBoundsPerElementThatNobodyCanChange() {
        float[] low = {0, -1};
        Space.Box box = new Space.Box(low, new float[] {1, INFINITY});
        low[0] = 9;
        box.high()[0] = 9;
        assertThat(box.low()).containsExactly(0, -1);
        assertThat(box.high()).containsExactly(1, INFINITY);
        assertThat(box.size()).isEqualTo(2);
        assertThat(box.isBounded(0)).isTrue();
        assertThat(box.isBounded(1)).isFalse();
    }

    @Test
    void theLargestNumberIsNoBound() {
        Space.Box box = new Space.Box(3, -Float.MAX_VALUE, Float.MAX_VALUE);
        assertThat(box)
                .isEqualTo(new Space.Box(3, -INFINITY, INFINITY))
                .hasSameHashCodeAs(new Space.Box(3, -INFINITY, INFINITY));
        assertThat(box.isBounded(2)).isFalse();
    }

    @Test
    void boxesOfTheSameBoundsAreEqual() {
        Space.Box box = new Space.Box(2, 0, 1);
        assertThat(box).isEqualTo(new Space.Box(new float[] {0, 0}, new float[] {1, 1}));
        assertThat(box).isNotEqualTo(new Space.Box(2, 0, 2)).isNotEqualTo(new Space.Box(3, 0, 1));
        assertThat(box).hasToString("Box[2 numbers in [0.0, 1.0]]");
        assertThat(new Space.Box(new float[] {0, -2}, new float[] {1, 2}))
                .hasToString("Box[low=[0.0, -2.0], high=[1.0, 2.0]]");
    }

    @Test
    void aSpaceThatHoldsNothingIsRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Space.Discrete(0))
                .withMessageContaining("not 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Space.Box(0, 0, 1))
                .withMessageContaining("not 0");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Space.Box(new float[0], new float[0]))
                .withMessageContaining("at least 1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Space.Box(new float[2], new float[3]))
                .withMessageContaining("2 lower bounds but 3");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new Space.Box(new float[] {0, 2}, new float[] {1, 1}))
                .withMessageContaining("element 1")
                .withMessageContaining("[2.0, 1.0]");
        assertThatIllegalArgumentException().isThrownBy(() -> new Space.Box(1, Float.NaN, 1));
        assertThatIllegalArgumentException().isThrownBy(() -> new Space.Box(1, 0, Float.NaN));
        assertThatIllegalArgumentException().isThrownBy(() -> new Space.Box(1, INFINITY, INFINITY));
    }
}
