// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What wrappers do to an environment that counts; that they cut and save well is in {@link BatchContractTest}. */
class WrapperTest {

    /** Shows the step and what was done last, in an episode of as many steps as its seed says, 3 to 6. */
    private static class Counter implements Environment {
        int step;
        int length;
        boolean closed;

        @Override
        public Space observationSpace() {
            return new Space.Box(2, 0, 100);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(5);
        }

        @Override
        public float[] reset(long seed) {
            step = 0;
            length = 3 + (int) Math.floorMod(seed, 4L);
            return new float[] {0, 99};
        }

        @Override
        public Step step(Action action) {
            step++;
            float[] observation = {step, action.choice()};
            return step == length ? Step.terminated(observation, step) : Step.of(observation, step);
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    /** Forbids to do again what was done last, from the second step on. */
    private static final class Restless extends Counter {
        private int last = -1;

        @Override
        public float[] reset(long seed) {
            last = -1;
            return super.reset(seed);
        }

        @Override
        public Step step(Action action) {
            if (action.choice() == last) {
                throw new IllegalStateException("again");
            }
            last = action.choice();
            return super.step(action);
        }

        @Override
        public boolean masksActions() {
            return true;
        }

        @Override
        public boolean[] actionMask() {
            boolean[] mask = new boolean[5];
            for (int choice = 0; choice < 5; choice++) {
                mask[choice] = choice != last;
            }
            return mask;
        }
    }

    private static EnvironmentSpec counter() {
        return EnvironmentSpec.of("Counter-v0", "counts", Counter::new);
    }

    /** Plays a batch with the choice (step + environment) % 5, and returns what each step gave. */
    private static Step[][] play(EnvironmentSpec spec, int count, int steps, float[] first, float[][] reported) {
        try (VectorEnvironment batch = spec.create(count)) {
            int size = batch.observationSpace().size();
            StepBatch result = StepBatch.allocate(count, size);
            batch.reset(5, 0, result.observations());
            System.arraycopy(result.observations(), 0, first, 0, Math.min(first.length, count * size));
            Step[][] seen = new Step[steps][count];
            for (int t = 0; t < steps; t++) {
                int[] choices = new int[count];
                for (int i = 0; i < count; i++) {
                    choices[i] = (t + i) % 5;
                }
                batch.step(choices, new float[0], result);
                reported[t] = batch.reportedRewards(result).clone();
                for (int i = 0; i < count; i++) {
                    boolean over = result.terminated()[i] || result.truncated()[i];
                    float[] rows = over ? result.finalObservations() : result.observations();
                    seen[t][i] = new Step(
                            Arrays.copyOfRange(rows, i * size, (i + 1) * size),
                            result.rewards()[i],
                            result.terminated()[i],
                            result.truncated()[i]);
                }
            }
            return seen;
        }
    }

    private static Step[][] play(EnvironmentSpec spec, int count, int steps) {
        return play(spec, count, steps, new float[0], new float[steps][]);
    }

    @Test
    void thePreviousRewardIsShown() {
        EnvironmentSpec spec = counter().wrapped(Wrapper.of("previous_reward"));
        float[] first = new float[3];
        Step[][] plain = play(counter(), 4, 30);
        Step[][] shown = play(spec, 4, 30, first, new float[30][]);
        assertThat(first).containsExactly(0, 99, 0);
        for (int i = 0; i < 4; i++) {
            for (int t = 0; t < 30; t++) {
                float[] expected = Arrays.copyOf(plain[t][i].observation(), 3);
                expected[2] = plain[t][i].reward();
                assertThat(shown[t][i].observation()).containsExactly(expected);
            }
        }
        Space set = new Space.Dict(Map.of("set", new Space.Box(2, 0, 1)));
        assertThat(Wrapper.previousReward().observationSpace(set).size()).isEqualTo(3);
    }

    @Test
    void aStackHasTheNewestFramesOfTheEpisode() {
        EnvironmentSpec spec = counter().wrapped(Wrapper.frameStack(3));
        assertThat(spec.name()).isEqualTo("Counter-v0+frame_stack=3");
        assertThat(spec.spaces().observations()).isEqualTo(new Space.Box(6, 0, 100));
        float[] first = new float[6];
        Step[][] plain = play(counter(), 4, 30);
        Step[][] stacked = play(spec, 4, 30, first, new float[30][]);
        assertThat(first).containsExactly(0, 99, 0, 99, 0, 99);
        for (int i = 0; i < 4; i++) {
            float[] expected = {0, 99, 0, 99, 0, 99};
            for (int t = 0; t < 30; t++) {
                System.arraycopy(expected, 2, expected, 0, 4);
                System.arraycopy(plain[t][i].observation(), 0, expected, 4, 2);
                assertThat(stacked[t][i].observation()).containsExactly(expected);
                assertThat(stacked[t][i].reward()).isEqualTo(plain[t][i].reward());
                assertThat(stacked[t][i].terminated()).isEqualTo(plain[t][i].terminated());
                if (plain[t][i].terminated()) {
                    expected = new float[] {0, 99, 0, 99, 0, 99};
                }
            }
        }
    }

    @Test
    void imagesAreStackedAsChannelsAndOthersAsATuple() {
        Wrapper stack = Wrapper.frameStack(2);
        assertThat(stack.observationSpace(new Space.Image(3, 4, 5))).isEqualTo(new Space.Image(6, 4, 5));
        Space set = new Space.Entities(4, 2);
        assertThat(stack.observationSpace(set)).isEqualTo(new Space.Tuple(set, set));
        Space dict = new Space.Dict(Map.of("a", new Space.Discrete(3)));
        assertThat(stack.observationSpace(dict)).isEqualTo(new Space.Tuple(dict, dict));
    }

    @Test
    void aTimeLimitTruncatesAndStartsTheNextEpisode() {
        Step[][] steps = play(counter().wrapped(Wrapper.timeLimit(4)), 4, 40);
        Set<Integer> lengths = new TreeSet<>();
        int cut = 0;
        for (int i = 0; i < 4; i++) {
            int elapsed = 0;
            for (int t = 0; t < 40; t++) {
                Step step = steps[t][i];
                elapsed++;
                assertThat(step.observation()).containsExactly(elapsed, (t + i) % 5);
                assertThat(step.truncated() && step.terminated()).isFalse();
                assertThat(step.truncated()).isEqualTo(elapsed == 4 && !step.terminated());
                if (step.truncated() || step.terminated()) {
                    lengths.add(elapsed);
                    cut += step.truncated() ? 1 : 0;
                    elapsed = 0;
                }
            }
        }
        assertThat(lengths).containsExactly(3, 4);
        assertThat(cut).isPositive();
    }

    @Test
    void aRepeatedActionAddsUpRewardsAndEndsWithTheEpisode() {
        Step[][] steps = play(counter().wrapped(Wrapper.actionRepeat(2)), 3, 20);
        Set<Float> lasts = new TreeSet<>();
        for (int i = 0; i < 3; i++) {
            int elapsed = 0;
            for (int t = 0; t < 20; t++) {
                Step step = steps[t][i];
                int now = (int) step.observation()[0];
                assertThat(now - elapsed).isIn(step.terminated() ? List.of(1, 2) : List.of(2));
                assertThat(step.reward()).isEqualTo(now - elapsed == 2 ? 2 * now - 1 : now);
                assertThat(step.observation()[1]).isEqualTo((t + i) % 5);
                if (step.terminated()) {
                    lasts.add(step.observation()[0]);
                }
                elapsed = step.terminated() ? 0 : now;
            }
        }
        assertThat(lasts).contains(3f, 4f);
    }

    @Test
    void whatIsForbiddenIsNotDoneAgain() {
        EnvironmentSpec restless = EnvironmentSpec.of("Restless-v0", "moves on", Restless::new);
        Step[][] repeated = play(restless.wrapped(Wrapper.actionRepeat(3)), 2, 20);
        Step[][] plain = play(restless, 2, 20);
        Step[][] sticky = play(restless.wrapped(Wrapper.stickyActions(0.9)), 2, 20);
        for (int t = 0; t < 20; t++) {
            for (int i = 0; i < 2; i++) {
                assertThat(repeated[t][i].observation()).containsExactly(plain[t][i].observation());
                assertThat(sticky[t][i].observation()).containsExactly(plain[t][i].observation());
            }
        }
    }

    @Test
    void anActionSticksWithItsProbabilityButForTheFirst() {
        Step[][] steps = play(counter().wrapped(Wrapper.stickyActions(0.25)), 50, 400);
        int again = 0;
        int done = 0;
        for (int i = 0; i < 50; i++) {
            float last = 99;
            for (int t = 0; t < 400; t++) {
                float chosen = (t + i) % 5;
                float acted = steps[t][i].observation()[1];
                if (steps[t][i].observation()[0] == 1) {
                    assertThat(acted).isEqualTo(chosen);
                } else {
                    assertThat(acted).isIn(chosen, last);
                    done++;
                    again += acted == last ? 1 : 0;
                }
                last = acted;
            }
        }
        // An action that stuck may be that which is chosen now, five steps later: hardly ever within an episode of six.
        assertThat((double) again / done).isCloseTo(0.25, within(0.015));
    }

    @Test
    void whatIsLearnedFromIsNotWhatIsReported() {
        EnvironmentSpec spec = counter()
                .withSolvedAt(7)
                .wrapped(Wrapper.of("reward_scale=10"))
                .wrapped(Wrapper.of("action_repeat=2"))
                .wrapped(Wrapper.of("frame_stack=2"))
                .wrapped(Wrapper.of("reward_clip=25"));
        assertThat(spec.solvedAt()).hasValue(7);
        float[][] reported = new float[10][];
        Step[][] steps = play(spec, 3, 10, new float[0], reported);
        for (int t = 0; t < 10; t++) {
            for (int i = 0; i < 3; i++) {
                assertThat(steps[t][i].reward()).isEqualTo(Math.min(25, 10 * reported[t][i]));
            }
        }
        assertThat(reported[0]).containsOnly(3);
    }

    @Test
    void picturesAreMadeSmallerAndGrey() {
        Wrapper.ObservationTransform half = new Images.Downsample(new Space.Image(2, 3, 4), 2);
        assertThat(half.space()).isEqualTo(new Space.Image(2, 1, 2));
        float[] picture = new float[1 + 24];
        for (int j = 0; j < 24; j++) {
            picture[1 + j] = j;
        }
        float[] result = new float[6];
        half.apply(picture, 1, result, 2);
        assertThat(result).containsExactly(0, 0, 2.5f, 4.5f, 14.5f, 16.5f);
        Wrapper.ObservationTransform grey = new Images.Grayscale(new Space.Image(3, 1, 2));
        float[] pixels = {255, 0, 255, 100, 255, 0};
        float[] brightness = new float[2];
        grey.apply(pixels, 0, brightness, 0);
        assertThat(brightness[0]).isCloseTo(255, within(1e-3f));
        assertThat(brightness[1]).isCloseTo(58.7f, within(1e-3f));
        assertThatThrownBy(() -> Environments.get("CartPole-v1+grayscale").spaces())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("grayscale is for observations that are an Image");
        assertThatThrownBy(() -> Environments.get("Catch-v0+downsample=6").spaces())
                .hasMessageContaining("leaves nothing of 10 x 5");
    }

    /** Chooses one of its entities. */
    private static final class Pointing extends Counter {
        @Override
        public Space observationSpace() {
            return new Space.Entities(1, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.EntityChoice("", 1);
        }
    }

    @Test
    void aChoiceOfEntitiesIsNotRepeated() {
        EnvironmentSpec pointing = EnvironmentSpec.of("Pointing-v0", "points", Pointing::new);
        for (String wrapper : List.of("action_repeat=2", "sticky_actions=0.5")) {
            assertThatThrownBy(() -> pointing.wrapped(Wrapper.of(wrapper)).create(2))
                    .isInstanceOf(InvalidEnvironmentException.class)
                    .hasMessageContaining(wrapper + " does an action again");
        }
        assertThatThrownBy(() -> pointing.wrapped(Wrapper.of("flatten")).spaces())
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageContaining("Pointing-v0+flatten: the action space");
    }

    @Test
    void wrappersOfANameAreAppliedFromLeftToRight() {
        EnvironmentSpec spec = Environments.get("MemoryChain-v0:length=7+time_limit=3+frame_stack=2");
        assertThat(spec.name()).isEqualTo("MemoryChain-v0:length=7+time_limit=3+frame_stack=2");
        assertThat(spec.spaces().observations().size()).isEqualTo(6);
        assertThat(spec.solvedAt()).as("no longer the same task").isEmpty();
        assertThat(Environments.get("CartPole-v1+frame_stack=2").solvedAt()).hasValue(475);
        assertThat(Environments.get("CartPole-v1+sticky_actions=0.1").solvedAt())
                .isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1+frame_stak=2, unknown wrapper 'frame_stak'; nearest: frame_stack",
        "CartPole-v1+frame_stack, 'frame_stack needs a whole number of at least 1, as in +frame_stack=4'",
        "CartPole-v1+time_limit=0, time_limit needs a whole number of at least 1",
        "CartPole-v1+sticky_actions=1, at least 0 and less than 1",
        "CartPole-v1+reward_clip=-1, reward_clip needs a number greater than 0",
        "CartPole-v1+reward_scale=NaN, reward_scale needs a number",
        "CartPole-v1+grayscale=3, grayscale has no value",
        "CartPole-v1+, unknown wrapper ''",
        "CartPole+time_limit=3, unknown environment 'CartPole'; nearest: CartPole-v1"
    })
    void aWrongWrapperIsNamed(String name, String message) {
        assertThatThrownBy(() -> Environments.get(name))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    @Test
    void everyEnvironmentIsClosedAlsoWhereAWrapperFails() {
        Map<Integer, Counter> made = new HashMap<>();
        EnvironmentSpec spec = EnvironmentSpec.of("Counter-v0", "counts", () -> {
            Counter counter = new Counter();
            made.put(made.size(), counter);
            return counter;
        });
        spec.wrapped(Wrapper.actionRepeat(2))
                .wrapped(Wrapper.timeLimit(2))
                .create(3)
                .close();
        assertThat(made.values()).hasSize(3).allMatch(counter -> counter.closed);
        made.clear();
        EnvironmentSpec broken = spec.wrapped(Wrapper.observations("broken", space -> {
            throw new IllegalStateException("no");
        }));
        assertThatThrownBy(() -> broken.create(3)).hasMessageContaining("no");
        assertThat(made.values()).hasSize(3).allMatch(counter -> counter.closed);
    }
}
