// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInput;
import java.io.DataInputStream;
import java.io.DataOutput;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** A user's environment as a batch: seeds, autoreset, saving, and what happens when it breaks its contract. */
class EnvironmentBatchTest {

    /** Counts up from a random number; ends at 3 by itself, or by a time limit after 2 steps if it starts low. */
    private static class Counter implements Environment {
        long state;
        int steps;

        @Override
        public Space observationSpace() {
            return new Space.Box(2, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            state = new Random(seed).nextInt(3) - 1;
            steps = 0;
            return new float[] {state, 0};
        }

        @Override
        public Step step(Action action) {
            state += action.choice();
            steps++;
            float[] observation = {state, steps};
            return new Step(observation, state, state >= 2, steps >= 3);
        }
    }

    private static final class SavingCounter extends Counter implements SavesState {
        @Override
        public void saveState(DataOutput out) throws IOException {
            out.writeLong(state);
            out.writeInt(steps);
        }

        @Override
        public void restoreState(DataInput in) throws IOException {
            state = in.readLong();
            steps = in.readInt();
        }
    }

    @Test
    void anEpisodeThatEndsKeepsItsFinalObservationAndTheNextBegins() {
        VectorEnvironment batch = EnvironmentSpec.of("x", "", Counter::new).create(7);
        StepBatch result = StepBatch.allocate(7, 2);
        batch.reset(5, 0, result.observations());
        Counter[] naive = new Counter[7];
        int[] episodes = new int[7];
        for (int i = 0; i < 7; i++) {
            naive[i] = new Counter();
            assertThat(naive[i].reset(SplitMix64.episodeSeed(5, i, 0))).containsExactly(row(result.observations(), i));
        }
        Random random = new Random(1);
        int terminated = 0;
        int truncated = 0;
        for (int t = 0; t < 200; t++) {
            int[] choices = random.ints(7, 0, 2).toArray();
            batch.step(choices, new float[0], result);
            for (int i = 0; i < 7; i++) {
                Step step = naive[i].step(Action.of(choices[i]));
                assertThat(result.rewards()[i]).isEqualTo(step.reward());
                assertThat(result.terminated()[i]).isEqualTo(step.terminated());
                assertThat(result.truncated()[i]).isEqualTo(step.truncated() && !step.terminated());
                float[] observation = step.observation();
                if (step.terminated() || step.truncated()) {
                    assertThat(row(result.finalObservations(), i)).containsExactly(observation);
                    observation = naive[i].reset(SplitMix64.episodeSeed(5, i, ++episodes[i]));
                    terminated += step.terminated() ? 1 : 0;
                    truncated += step.terminated() ? 0 : 1;
                }
                assertThat(row(result.observations(), i)).containsExactly(observation);
            }
        }
        assertThat(terminated).isPositive();
        assertThat(truncated).isPositive();
    }

    private static float[] row(float[] rows, int i) {
        return Arrays.copyOfRange(rows, 2 * i, 2 * i + 2);
    }

    @Test
    void aRestoredBatchGoesOn() throws IOException {
        VectorEnvironment batch =
                EnvironmentSpec.of("x", "", SavingCounter::new).create(3);
        StepBatch result = StepBatch.allocate(3, 2);
        batch.reset(5, 0, result.observations());
        batch.step(new int[] {0, 1, 0}, new float[0], result);
        VectorEnvironment restored =
                EnvironmentSpec.of("x", "", SavingCounter::new).create(3);
        for (int i = 0; i < 3; i++) {
            ByteArrayOutputStream saved = new ByteArrayOutputStream();
            batch.saveState(i, new DataOutputStream(saved));
            restored.restoreState(i, new DataInputStream(new ByteArrayInputStream(saved.toByteArray())));
        }
        StepBatch other = StepBatch.allocate(3, 2);
        for (int t = 0; t < 30; t++) {
            int[] choices = {t % 2, 1, 0};
            batch.step(choices, new float[0], result);
            restored.step(choices, new float[0], other);
            assertThat(other.observations()).containsExactly(result.observations());
            assertThat(other.truncated()).containsExactly(result.truncated());
        }
    }

    @Test
    void whatCannotSaveSaysSo() {
        VectorEnvironment batch = EnvironmentSpec.of("x", "", Counter::new).create(2);
        assertThat(batch.canSaveState()).isFalse();
        assertThatThrownBy(() -> batch.saveState(0, new DataOutputStream(new ByteArrayOutputStream())))
                .isInstanceOf(UnsupportedOperationException.class)
                .hasMessageContaining("Counter")
                .hasMessageContaining("SavesState");
    }

    /** Steps the batch, whose environments of index 11 fail as the test says. */
    private static void assertStepFails(Environment broken, String... words) {
        Environment[] three = {new Counter(), broken, new Counter()};
        int[] next = {0};
        VectorEnvironment batch =
                EnvironmentSpec.of("x", "", () -> three[next[0]++]).create(3);
        StepBatch result = StepBatch.allocate(3, 2);
        batch.reset(1, 10, result.observations());
        assertThatThrownBy(() -> batch.step(new int[3], new float[0], result))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining("11, episode 0, step ")
                .hasMessageContainingAll(words);
    }

    @Test
    void oneSteppedByHandSavesOnlyIfItCan() {
        Environments.register("Counter-v0", "counts", Counter::new);
        Environments.register("SavingCounter-v0", "counts", SavingCounter::new);
        assertThat(Environments.make("Counter-v0")).isNotInstanceOf(SavesState.class);
        assertThat(Environments.make("SavingCounter-v0")).isInstanceOf(SavesState.class);
    }

    @Test
    void aBrokenEnvironmentIsNamed() {
        assertStepFails(
                new Counter() {
                    @Override
                    public Step step(Action action) {
                        throw new IllegalStateException("no bananas");
                    }
                },
                "step threw",
                "no bananas");
        assertStepFails(
                new Counter() {
                    @Override
                    public Step step(Action action) {
                        return Step.of(new float[] {1, 2, 3}, 0);
                    }
                },
                "has 3 numbers",
                "has 2");
        assertStepFails(
                new Counter() {
                    @Override
                    public Step step(Action action) {
                        return Step.of(new float[] {1, Float.NaN}, 0);
                    }
                },
                "observation[1] is NaN");
        assertStepFails(
                new Counter() {
                    @Override
                    public Step step(Action action) {
                        return Step.of(new float[] {1, 1}, Double.POSITIVE_INFINITY);
                    }
                },
                "reward is Infinity");
    }

    @Test
    void aWrongChoiceIsNamed() {
        VectorEnvironment batch = EnvironmentSpec.of("x", "", Counter::new).create(2);
        StepBatch result = StepBatch.allocate(2, 2);
        batch.reset(1, 4, result.observations());
        assertThatThrownBy(() -> batch.step(new int[] {1, 2}, new float[0], result))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("choice 2 of environment 5 is not from 0 to 1");
        assertThatThrownBy(() -> batch.step(new int[2], new float[0], StepBatch.allocate(1, 2)))
                .hasMessageContaining("holds 1 environments");
    }

    @Test
    void continuousActionsReachTheirEnvironment() {
        Set<String> seen = new HashSet<>();
        class Recording extends Counter {
            @Override
            public Space actionSpace() {
                return new Space.Box(2, -1, 1);
            }

            @Override
            public Step step(Action action) {
                seen.add(Arrays.toString(action.values()));
                return Step.of(new float[2], 0);
            }
        }
        VectorEnvironment batch = EnvironmentSpec.of("x", "", Recording::new).create(2);
        StepBatch result = StepBatch.allocate(2, 2);
        batch.reset(1, 0, result.observations());
        batch.step(new int[0], new float[] {1, 2, 3, 4}, result);
        assertThat(seen).containsExactlyInAnyOrder("[1.0, 2.0]", "[3.0, 4.0]");
    }

    /** A batch of somebody else's making, which fails in its third step. */
    private static class OwnBatch implements VectorEnvironment {
        private final int count;
        private int steps;
        int closed;

        OwnBatch(int count) {
            this.count = count;
        }

        @Override
        public int count() {
            return count;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public void reset(long seed, int firstIndex, float[] observations) {}

        @Override
        public void step(int[] choices, float[] values, StepBatch result) {
            if (++steps == 3) {
                throw new AssertionError("out of tokens");
            }
        }

        @Override
        public void restart(int i, float[] observations) {}

        @Override
        public boolean canSaveState() {
            return false;
        }

        @Override
        public void saveState(int i, DataOutput out) {}

        @Override
        public void restoreState(int i, DataInput in) {}

        @Override
        public void close() {
            closed++;
        }
    }

    private static EnvironmentSpec own(IntFunction<VectorEnvironment> factory) {
        return EnvironmentSpec.ofBatches("Own-v0", "", factory);
    }

    @Test
    void aBatchOfOnesOwnThatFailsIsNamed() {
        VectorEnvironment batch = own(OwnBatch::new).create(4);
        StepBatch result = StepBatch.allocate(4, 1);
        batch.reset(1, 8, result.observations());
        batch.step(new int[4], new float[0], result);
        batch.step(new int[4], new float[0], result);
        assertThatThrownBy(() -> batch.step(new int[4], new float[0], result))
                .isInstanceOf(EnvironmentException.class)
                .hasMessage("Own-v0: environments 8 to 11, step 2: step threw java.lang.AssertionError: out of tokens");
    }

    @Test
    void aBatchOfOnesOwnIsOneAndOfTheSizeThatWasAskedFor() {
        OwnBatch shared = new OwnBatch(4);
        assertThatThrownBy(() -> own(count -> shared).createAll(4, 4))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("same batch twice");
        assertThat(shared.closed).isEqualTo(1);
        assertThatThrownBy(() -> own(count -> new OwnBatch(7)).create(4)).hasMessageContaining("asked for 4");
        assertThatThrownBy(() -> own(count -> null).create(4)).hasMessageContaining("returned null");
    }

    @Test
    void whatAskingForTheSpacesMadeIsPlayedOrClosed() {
        List<Counter> made = new ArrayList<>();
        List<Counter> closed = new ArrayList<>();
        EnvironmentSpec spec = EnvironmentSpec.of("x", "", () -> {
            Counter counter = new Counter() {
                @Override
                public void close() {
                    closed.add(this);
                }
            };
            made.add(counter);
            return counter;
        });
        assertThat(spec.spaces().observations().size()).isEqualTo(2);
        assertThat(spec.spaces().actions().size()).isEqualTo(2);
        assertThat(made).hasSize(1);
        try (VectorEnvironment batch = spec.create(3)) {
            assertThat(made).hasSize(3);
            assertThat(batch.count()).isEqualTo(3);
        }
        spec.closeUnused();
        assertThat(closed).containsExactlyElementsOf(made);
    }
}
