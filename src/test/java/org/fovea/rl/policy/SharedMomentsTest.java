// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Moments that members take in apart are those of all rows. */
final class SharedMomentsTest {
    private static final int COLUMNS = 3;

    private static float[] rows(int member, int turn, int count) {
        Random random = new Random(31L * member + turn);
        float[] values = new float[count * COLUMNS];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (random.nextGaussian() * 3 + 100 * member + i % COLUMNS);
        }
        return values;
    }

    @Test
    void ofTwoMembersAsOfOne() {
        SharedMoments shared = new SharedMoments(COLUMNS);
        RunningMoments alone = new RunningMoments(COLUMNS);
        int[] turn = new int[1];
        // The other member takes in seven rows each time, and none the second.
        shared.shareBy(own -> {
            RunningMoments other = new RunningMoments(COLUMNS);
            if (turn[0] != 1) {
                other.include(rows(1, turn[0], 7), 7);
            }
            return new double[][] {own, other.save()};
        });
        for (turn[0] = 0; turn[0] < 3; turn[0]++) {
            shared.include(rows(0, turn[0], 11), 0, 11);
            alone.include(rows(0, turn[0], 11), 11);
            if (turn[0] != 1) {
                alone.include(rows(1, turn[0], 7), 7);
            }
            double before = turn[0] == 0 ? 0 : shared.ofAll().save()[0];
            shared.exchange();
            assertThat(shared.ofAll().save()[0]).isGreaterThan(before).isEqualTo(alone.save()[0]);
        }
        for (int column = 0; column < COLUMNS; column++) {
            assertThat(shared.ofAll().mean(column)).isCloseTo(alone.mean(column), within(1e-10));
            assertThat(shared.ofAll().std(column)).isCloseTo(alone.std(column), within(1e-10));
        }
    }

    @Test
    void ofOneMemberCountAtOnce() {
        SharedMoments shared = new SharedMoments(COLUMNS);
        RunningMoments alone = new RunningMoments(COLUMNS);
        shared.include(rows(0, 0, 5), 0, 5);
        shared.exchange();
        alone.include(rows(0, 0, 5), 5);
        assertThat(shared.ofAll().save()).isEqualTo(alone.save());
    }
}
