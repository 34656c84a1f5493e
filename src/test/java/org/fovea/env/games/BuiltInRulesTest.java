// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.fovea.env.Action;
import org.fovea.env.Step;
import org.fovea.env.StepBatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The rules of the built-in environments, played from outside by naive players of single episodes. */
class BuiltInRulesTest {

    @Test
    void proofOfMemoryFollowsItsRule() {
        Set<String> starts = new HashSet<>();
        for (int seed = 0; seed < 300; seed++) {
            Episode episode = Episode.play("ProofOfMemory-v0", seed, Episode.random(2));
            float[] start = episode.observations().get(0);
            starts.add(start[0] + " " + start[1]);
            assertThat(start[2]).isEqualTo(-start[0]);
            double position = start[1];
            for (int t = 0; t < episode.steps().size(); t++) {
                Step step = episode.steps().get(t);
                boolean frozen = t < 2;
                boolean shown = t < 1;
                double reward = 0;
                if (!frozen) {
                    position = Math.round(10 * (position + (episode.choice(t) == 1 ? 0.2 : -0.2))) / 10.0;
                    reward = position == 1 ? 1.6 * start[2] : position == -1 ? 1.6 * start[0] : -0.1;
                }
                boolean terminated = Math.abs(position) == 1;
                assertThat(step.observation())
                        .containsExactly(shown ? start[0] : 0, (float) position, shown ? start[2] : 0);
                assertThat(step.reward()).isEqualTo((float) reward);
                assertThat(step.terminated()).isEqualTo(terminated);
                assertThat(step.truncated()).isEqualTo(t == 15 && !terminated);
            }
        }
        assertThat(starts).hasSize(10);
    }

    @Test
    void proofOfMemoryRewardsMemory() {
        Episode.Player towardsTheGoodEnd =
                Episode.choosing(observations -> observations.get(0)[2] > 0 ? 1 : 0);
        Episode.Player forgetful = soFar -> Action.of(soFar.newest()[2] + soFar.newest()[1] > 0 ? 1 : 0);
        Episode.Player towardsTheNearerEnd = soFar -> Action.of(soFar.newest()[1] > 0 ? 1 : 0);
        // Standard errors at 4,000 episodes: 0.005 and 0.025.
        assertThat(Episode.meanScore("ProofOfMemory-v0", 4000, towardsTheGoodEnd))
                .isCloseTo(1.20, within(0.02));
        assertThat(Episode.meanScore("ProofOfMemory-v0", 4000, towardsTheNearerEnd))
                .isCloseTo(-0.28, within(0.1));
        assertThat(Episode.meanScore("ProofOfMemory-v0", 4000, forgetful)).isCloseTo(-0.28, within(0.1));
    }

    @ParameterizedTest
    @CsvSource({"MemoryChain-v0, 5, 1", "MemoryChain-v0:length=1, 1, 1", "'MemoryChain-v0:bits=3,length=7', 7, 3"})
    void memoryChainFollowsItsRule(String name, int length, int bits) {
        Set<String> contexts = new HashSet<>();
        for (int seed = 0; seed < 200; seed++) {
            Episode episode = Episode.play(name, seed, Episode.random(2));
            assertThat(episode.steps()).hasSize(length + 1);
            float[] start = episode.observations().get(0);
            contexts.add(Arrays.toString(start));
            int query = (int) episode.observations().get(length)[1];
            for (int t = 0; t <= length; t++) {
                float[] observation = episode.steps().get(t).observation();
                assertThat(observation).hasSize(2 + bits);
                assertThat(observation[0]).isEqualTo((float) (1 - t / (double) length));
                assertThat(observation[1]).isEqualTo(t == length - 1 ? query : 0);
                for (int bit = 0; bit < bits; bit++) {
                    assertThat(Math.abs(start[2 + bit])).isEqualTo(1);
                    assertThat(observation[2 + bit]).isEqualTo(t == 0 ? start[2 + bit] : 0);
                }
                boolean right = episode.choice(t) == (start[2 + query] > 0 ? 1 : 0);
                float reward = t < length ? 0 : right ? 1 : -1;
                assertThat(episode.steps().get(t).reward()).isEqualTo(reward);
                assertThat(episode.steps().get(t).terminated()).isEqualTo(t == length);
                assertThat(episode.steps().get(t).truncated()).isFalse();
            }
        }
        assertThat(contexts).hasSize(1 << bits);
    }

    @Test
    void memoryChainRewardsMemory() {
        Episode.Player remembering =
                Episode.choosing(observations -> observations.get(0)[2] > 0 ? 1 : 0);
        assertThat(Episode.meanScore("MemoryChain-v0", 500, remembering)).isEqualTo(1);
        // Standard error at 4,000 episodes: 0.016.
        assertThat(Episode.meanScore("MemoryChain-v0", 4000, Episode.random(2))).isCloseTo(0, within(0.06));
    }

    private static int suit(float[] observation) {
        return Episode.oneHot(observation, 0, 4);
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52, 4", "Medium, 104, 32", "Hard, 156, 64"})
    void repeatPreviousFollowsItsRule(String level, int cards, int k) {
        String name = "popgym-RepeatPrevious" + level + "-v0";
        for (int seed = 0; seed < 50; seed++) {
            Episode episode = Episode.play(name, seed, Episode.random(4));
            assertThat(episode.steps()).hasSize(cards - 1);
            assertThat(episode.last().terminated()).isTrue();
            int[] ofSuit = new int[4];
            episode.observations().forEach(observation -> ofSuit[suit(observation)]++);
            assertThat(ofSuit).containsOnly(cards / 4);
            for (int t = 0; t < cards - 1; t++) {
                double reward = 0;
                if (t + 1 >= k) {
                    int asked = suit(episode.observations().get(t + 1 - k));
                    reward = (episode.choice(t) == asked ? 1.0 : -1.0) / (cards - k);
                }
                assertThat((double) episode.steps().get(t).reward()).isCloseTo(reward, within(1e-8));
            }
        }
    }

    @Test
    void repeatPreviousRewardsMemory() {
        Episode.Player remembering = Episode.choosing(
                observations -> observations.size() < 4 ? 0 : suit(observations.get(observations.size() - 4)));
        assertThat(Episode.meanScore("popgym-RepeatPreviousEasy-v0", 50, remembering))
                .isCloseTo(1, within(1e-6));
        // Standard error at 1,000 episodes: 0.004.
        assertThat(Episode.meanScore("popgym-RepeatPreviousEasy-v0", 1000, Episode.random(4)))
                .isCloseTo(-0.5, within(0.015));
    }

    @ParameterizedTest
    @CsvSource({"TMaze-v0, 10", "TMaze-v0:length=1, 1", "TMaze-v0:length=37, 37"})
    void tMazeFollowsItsRule(String name, int length) {
        Set<Float> cues = new HashSet<>();
        for (int seed = 0; seed < 30; seed++) {
            Episode episode = Episode.play(name, seed, Episode.random(2));
            assertThat(episode.steps()).hasSize(length + 1);
            float cue = episode.observations().get(0)[0];
            cues.add(cue);
            for (int t = 0; t <= length; t++) {
                assertThat(episode.observations().get(t)).containsExactly(t == 0 ? cue : 0, t == length ? 1 : 0);
                boolean right = t == length && (episode.choice(t) == 0) == (cue > 0);
                assertThat(episode.steps().get(t).reward()).isEqualTo(right ? 1 : 0);
                assertThat(episode.steps().get(t).terminated()).isEqualTo(t == length);
            }
        }
        assertThat(cues).containsExactlyInAnyOrder(-1f, 1f);
        Episode.Player remembering =
                Episode.choosing(observations -> observations.get(0)[0] > 0 ? 0 : 1);
        assertThat(Episode.meanScore(name, 50, remembering)).isEqualTo(1);
        // Standard error: 0.016.
        assertThat(Episode.meanScore(name, 1000, Episode.random(2))).isCloseTo(0.5, within(0.06));
    }

    @ParameterizedTest
    @CsvSource({"Catch-v0, 10, 5", "'Catch-v0:rows=6,columns=4', 6, 4"})
    void catchFollowsItsRule(String name, int rows, int columns) {
        Set<Integer> starts = new HashSet<>();
        for (int seed = 0; seed < 60; seed++) {
            Episode episode = Episode.play(name, seed, Episode.random(3));
            assertThat(episode.steps()).hasSize(rows - 1);
            assertThat(episode.last().terminated()).isTrue();
            int ball = lit(episode.observations().get(0), 0, columns);
            int paddle = columns / 2;
            starts.add(ball);
            for (int t = 0; t < rows; t++) {
                float[] expected = new float[rows * columns];
                expected[t * columns + ball] = 255;
                expected[(rows - 1) * columns + paddle] = 255;
                assertThat(episode.observations().get(t)).containsExactly(expected);
                if (t < rows - 1) {
                    paddle = Math.max(0, Math.min(columns - 1, paddle + episode.choice(t) - 1));
                    boolean last = t == rows - 2;
                    assertThat(episode.steps().get(t).reward()).isEqualTo(!last ? 0 : paddle == ball ? 1 : -1);
                    assertThat(episode.steps().get(t).terminated()).isEqualTo(last);
                }
            }
        }
        assertThat(starts).hasSize(columns);
        Episode.Player following = soFar -> {
            int t = soFar.actions().size();
            int ball = lit(soFar.newest(), t * columns, columns);
            int paddle = lit(soFar.newest(), (rows - 1) * columns, columns);
            return Action.of(1 + Integer.signum(ball - paddle));
        };
        assertThat(Episode.meanScore(name, 100, following)).isEqualTo(1);
    }

    private static int lit(float[] picture, int from, int columns) {
        int lit = 0;
        while (picture[from + lit] != 255) {
            lit++;
        }
        assertThat(lit).isLessThan(columns);
        return lit;
    }

    @Test
    void mountainCarsStartAsSaid() {
        MountainCar batch = new MountainCar(1000);
        batch.reset(11, 0, new float[2000]);
        MountainCarContinuous continuous = new MountainCarContinuous(1000);
        continuous.reset(11, 0, new float[2000]);
        for (double[] position : List.of(batch.position, continuous.position)) {
            assertThat(Arrays.stream(position).min().orElseThrow()).isBetween(-0.6, -0.598);
            assertThat(Arrays.stream(position).max().orElseThrow()).isBetween(-0.402, -0.4);
        }
        assertThat(batch.velocity).containsOnly(0);
        assertThat(continuous.velocity).containsOnly(0);
        Episode idle = Episode.play("MountainCar-v0", 1, soFar -> Action.of(1));
        assertThat(idle.steps()).hasSize(200);
        assertThat(idle.last().truncated()).isTrue();
        Episode.Player rocking = soFar -> Action.of(soFar.newest()[1] >= 0 ? 2 : 0);
        assertThat(Episode.meanScore("MountainCar-v0", 50, rocking)).isBetween(-130.0, -110.0);
        Episode rest = Episode.play("MountainCarContinuous-v0", 1, soFar -> Action.of(0f));
        assertThat(rest.steps()).hasSize(999);
        assertThat(rest.score()).isZero();
    }

    @Test
    void cartPoleStartsAsSaid() {
        CartPole batch = new CartPole(1000);
        float[] observations = new float[4000];
        batch.reset(11, 0, observations);
        float least = 1;
        float greatest = -1;
        for (float x : observations) {
            least = Math.min(least, x);
            greatest = Math.max(greatest, x);
        }
        assertThat(least).isBetween(-0.05f, -0.049f);
        assertThat(greatest).isBetween(0.049f, 0.05f);
    }

    @Test
    void acrobotStartsAsSaid() {
        Acrobot batch = new Acrobot(1000);
        batch.reset(11, 0, new float[6000]);
        for (double[] variable : List.of(batch.angle1, batch.angle2, batch.velocity1, batch.velocity2)) {
            assertThat(Arrays.stream(variable).min().orElseThrow()).isBetween(-0.1, -0.098);
            assertThat(Arrays.stream(variable).max().orElseThrow()).isBetween(0.098, 0.1);
        }
    }

    @Test
    void pendulumStartsAsSaidAndIgnoresTorqueBeyondTwo() {
        Pendulum batch = new Pendulum(1000);
        StepBatch weak = StepBatch.allocate(1000, 3);
        batch.reset(11, 0, weak.observations());
        double least = 0;
        double greatest = 0;
        for (int i = 0; i < 1000; i++) {
            assertThat(Math.abs(batch.angularVelocity[i])).isLessThan(1);
            least = Math.min(least, batch.angle[i]);
            greatest = Math.max(greatest, batch.angle[i]);
        }
        assertThat(least).isBetween(-Math.PI, -3.1);
        assertThat(greatest).isBetween(3.1, Math.PI);

        Pendulum other = new Pendulum(1);
        Pendulum stronger = new Pendulum(1);
        StepBatch strong = StepBatch.allocate(1, 3);
        other.reset(1, 0, weak.observations());
        stronger.reset(1, 0, strong.observations());
        other.step(new int[0], new float[] {-2}, weak);
        stronger.step(new int[0], new float[] {-77}, strong);
        assertThat(strong.rewards()[0]).isEqualTo(weak.rewards()[0]);
        assertThat(stronger.angle[0]).isEqualTo(other.angle[0]);
    }

    /** Plays until step 500 is next, and leaves the cart where {@code position} says. */
    private static StepBatch step500(double position) {
        CartPole batch = new CartPole(1);
        StepBatch result = StepBatch.allocate(1, 4);
        batch.reset(1, 0, result.observations());
        for (int step = 1; step <= 500; step++) {
            batch.angle[0] = 0.01;
            batch.angularVelocity[0] = 0;
            batch.position[0] = step == 500 ? position : 0;
            batch.step(new int[] {0}, new float[0], result);
            if (step < 500) {
                assertThat(result.terminated()[0]).isFalse();
                assertThat(result.truncated()[0]).isFalse();
            }
        }
        return result;
    }

    @Test
    void cartPoleIsTruncatedAtStep500UnlessItFailsThere() {
        StepBatch late = step500(0);
        assertThat(late.truncated()[0]).isTrue();
        assertThat(late.terminated()[0]).isFalse();
        assertThat(late.rewards()[0]).isEqualTo(1);
        StepBatch failed = step500(20);
        assertThat(failed.terminated()[0]).isTrue();
        assertThat(failed.truncated()[0]).isFalse();
        assertThat(failed.rewards()[0]).isEqualTo(1);
        assertThat(failed.finalObservations()[0]).isGreaterThan(2.4f);
        assertThat(Math.abs(failed.observations()[0]))
                .as("first of the next episode")
                .isLessThan(0.05f);
    }
}
