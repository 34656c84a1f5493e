// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static org.assertj.core.api.Assertions.assertThat;

import org.fovea.backend.math.Gemm;
import org.junit.jupiter.api.Test;

class GemmTileTest {
    private static final int MULTIPROCESSORS = 132;

    @Test
    void theTileFollowsTheShape() {
        assertThat(tile(4096, 4096, 4096)).isEqualTo("large");
        assertThat(tile(262_144, 64, 64)).isEqualTo("medium");
        assertThat(tile(262_144, 6, 64)).isEqualTo("tall");
        assertThat(tile(8, 4096, 512)).isEqualTo("wide");
    }

    @Test
    void longSumsOverFewTilesFillTheDevice() {
        GemmTile.Plan gradient = plan(64, 64, 1_000_000);
        assertThat(gradient.blocks()).isBetween((long) MULTIPROCESSORS, 2L * MULTIPROCESSORS);
        assertThat((long) gradient.splits() * gradient.splitDepth()).isGreaterThanOrEqualTo(1_000_000);
        assertThat((long) (gradient.splits() - 1) * gradient.splitDepth()).isLessThan(1_000_000);
        assertThat(gradient.splitDepth() % 64).isZero();
    }

    @Test
    void sharedSumsAreNotWorthASecondLaunch() {
        assertThat(plan(64, 64, 256).splits()).isOne();
        assertThat(plan(4096, 4096, 4096).splits()).isOne();
    }

    @Test
    void nothingIsNoBlock() {
        assertThat(plan(0, 5, 3).blocks()).isZero();
        assertThat(plan(3, 5, 0)).isEqualTo(new GemmTile.Plan(plan(3, 5, 0).tile(), 1, 1, 1));
    }

    @Test
    void extentsThatFillAnIntAreCounted() {
        assertThat(plan(Integer.MAX_VALUE, 1, 16).blocks()).isEqualTo(1L << 24);
    }

    private static GemmTile.Plan plan(int m, int n, int k) {
        return GemmTile.choose(Gemm.dense(false, false, m, n, k), MULTIPROCESSORS);
    }

    private static String tile(int m, int n, int k) {
        return GemmTile.ALL[plan(m, n, k).tile()].name();
    }
}
