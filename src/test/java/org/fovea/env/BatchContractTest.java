// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.env.games.Games;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The contract of batches with the trainer, checked on each kind of environment under random actions. */
class BatchContractTest {
    private static final long SEED = 7;

    /** Built-in environments of every class, some with parameters, and each wrapper. */
    static Stream<String> builtIns() {
        Games games = new Games();
        Stream<String> defaults = Stream.concat(
                        games.families().stream().map(EnvironmentFamily::defaults), games.environments().stream())
                .map(EnvironmentSpec::name)
                .filter(name -> !name.endsWith("Medium-v0"));
        return Stream.concat(
                defaults,
                Stream.of(
                        "MemoryChain-v0:length=3,bits=3",
                        "MemoryChain-v0:length=6,bits=2",
                        "TMaze-v0:length=1",
                        "Catch-v0:rows=4,columns=3",
                        "CartPole-v1+time_limit=9+frame_stack=3",
                        "Pendulum-v1+sticky_actions=0.5+reward_clip=2",
                        "Dispatch-v0+sticky_actions=0.5+action_repeat=3",
                        "EntityGrid-v0+frame_stack=2+action_repeat=2",
                        "EntityGrid-v0+flatten",
                        "EntityGrid-v0+previous_reward",
                        "Pendulum-v1+reward_scale=0.1+previous_reward",
                        "Catch-v0+downsample=2+frame_stack=4"));
    }

    /** Both are the same numbers, of {@code size} per environment. */
    private static void assertRows(float[] whole, int from, float[] part, int size) {
        int first = from * size;
        int differs = Arrays.mismatch(whole, first, first + part.length, part, 0, part.length);
        assertThat(differs).as("first number that differs").isEqualTo(-1);
    }

    private static void assertSame(StepBatch whole, int from, StepBatch part, int size) {
        assertRows(whole.observations(), from, part.observations(), size);
        assertRows(whole.rewards(), from, part.rewards(), 1);
        int to = from + part.rewards().length;
        assertThat(part.terminated()).containsExactly(Arrays.copyOfRange(whole.terminated(), from, to));
        assertThat(part.truncated()).containsExactly(Arrays.copyOfRange(whole.truncated(), from, to));
    }

    /** A batch, its last step and the actions that go into it. */
    private static final class Player {
        final VectorEnvironment batch;
        final StepBatch result;
        final int[] n;
        final int[] choices;
        final boolean[] allowed;
        final float[] values;

        Player(String name, int count, int firstIndex) {
            batch = Environments.get(name).create(count);
            result = StepBatch.allocate(count, batch.observationSpace().size());
            n = Schema.of(batch.actionSpace()).choices();
            choices = new int[count * n.length];
            allowed = batch.newActionMasks();
            values = new float[count * batch.actionSpace().size()];
            batch.reset(SEED, firstIndex, result.observations());
        }

        /** Acts as a function of the environment's index in the run and the step alone. */
        void play(int firstIndex, int step) {
            if (allowed.length > 0) {
                batch.actionMasks(allowed);
            }
            for (int i = 0; i < batch.count(); i++) {
                Random random = new Random(1000L * (firstIndex + i) + step);
                int mask = i * allowed.length / batch.count();
                for (int part = 0; part < n.length; part++) {
                    int choice = i * n.length + part;
                    do {
                        choices[choice] = random.nextInt(n[part]);
                    } while (allowed.length > 0 && !allowed[mask + choices[choice]]);
                    mask += n[part];
                }
                if (n.length == 0) {
                    values[i] = random.nextFloat() * 6 - 3;
                }
            }
            batch.step(choices, values, result);
        }
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void cuttingABatchChangesNothing(String name) {
        Player whole = new Player(name, 64, 5);
        Player[] parts = new Player[4];
        Arrays.setAll(parts, p -> new Player(name, 16, 5 + 16 * p));
        int size = whole.batch.observationSpace().size();
        for (int step = 0; step < 120; step++) {
            whole.play(5, step);
            for (int p = 0; p < 4; p++) {
                parts[p].play(5 + 16 * p, step);
                assertSame(whole.result, 16 * p, parts[p].result, size);
                assertRows(whole.result.finalObservations(), 16 * p, parts[p].result.finalObservations(), size);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void restoredEnvironmentsGoOnBitForBitInBatchesCutOtherwise(String name) throws IOException {
        Player original = new Player(name, 13, 2);
        for (int step = 0; step < 37; step++) {
            original.play(2, step);
        }
        assertThat(original.batch.canSaveState()).isTrue();
        Player[] restored = {new Player(name, 4, 999), new Player(name, 9, 999)};
        restored[0].play(999, 1);
        restored[1].play(999, 1);
        int[] first = {0, 4};
        for (int i = 0; i < 13; i++) {
            int part = i < 4 ? 0 : 1;
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(saved(original.batch, i)));
            restored[part].batch.restoreState(i - first[part], in);
            assertThat(in.read()).as("everything written is read").isEqualTo(-1);
        }
        int size = original.batch.observationSpace().size();
        for (int step = 37; step < 160; step++) {
            original.play(2, step);
            for (int part = 0; part < 2; part++) {
                restored[part].play(2 + first[part], step);
                assertSame(original.result, first[part], restored[part].result, size);
            }
        }
    }

    private static byte[] saved(VectorEnvironment batch, int i) throws IOException {
        ByteArrayOutputStream saved = new ByteArrayOutputStream();
        batch.saveState(i, new DataOutputStream(saved));
        return saved.toByteArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"CartPole-v1", "Pendulum-v1", "ProofOfMemory-v0", "popgym-RepeatPreviousEasy-v0"})
    void aRestartedEnvironmentIsInItsNextEpisodeAndLeavesTheOthersAlone(String name) {
        Player player = new Player(name, 3, 2);
        Player untouched = new Player(name, 3, 2);
        int size = player.batch.observationSpace().size();
        player.batch.restart(1, player.result.observations());

        float[] seen = player.result.observations();
        float[] nextEpisode = new float[size];
        VectorEnvironment alone = Environments.get(name).create(1);
        alone.reset(SEED, 3, nextEpisode);
        alone.restart(0, nextEpisode);
        assertThat(Arrays.copyOfRange(seen, size, 2 * size)).containsExactly(nextEpisode);
        player.play(2, 0);
        untouched.play(2, 0);
        for (int i : new int[] {0, 2}) {
            assertThat(Arrays.copyOfRange(player.result.observations(), i * size, (i + 1) * size))
                    .containsExactly(Arrays.copyOfRange(untouched.result.observations(), i * size, (i + 1) * size));
        }
    }

    @ParameterizedTest
    @MethodSource("builtIns")
    void episodesOfOneSeedDifferAndTheSeedRepeatsThem(String name) {
        Player one = new Player(name, 31, 0);
        Player again = new Player(name, 31, 0);
        assertThat(again.result.observations()).containsExactly(one.result.observations());
        List<String> seen = trace(one);
        assertThat(trace(again)).isEqualTo(seen);
        assertThat(new HashSet<>(seen)).as("episodes").hasSizeGreaterThan(1);
        one.batch.reset(SEED + 1, 0, one.result.observations());
        assertThat(trace(one)).isNotEqualTo(seen);
    }

    /** What each environment shows and pays while all do the same, or at first if that might be forbidden. */
    private static List<String> trace(Player player) {
        StepBatch result = player.result;
        StringBuilder[] seen = new StringBuilder[player.batch.count()];
        Arrays.setAll(seen, i -> new StringBuilder());
        int size = player.batch.observationSpace().size();
        for (int step = 0; step < (player.allowed.length > 0 ? 1 : 40); step++) {
            for (int i = 0; i < seen.length; i++) {
                seen[i].append(Arrays.hashCode(Arrays.copyOfRange(result.observations(), i * size, (i + 1) * size)));
                seen[i].append(' ').append(result.rewards()[i]).append(' ');
            }
            for (int choice = 0; choice < player.choices.length; choice++) {
                int n = player.n[choice % player.n.length];
                player.choices[choice] = 7 * step % n;
            }
            Arrays.fill(player.values, step % 3 - 1);
            if (player.allowed.length == 0) {
                player.batch.step(player.choices, player.values, result);
            }
        }
        return Arrays.stream(seen).map(StringBuilder::toString).toList();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"CartPole-v1", "Acrobot-v1", "ProofOfMemory-v0", "MemoryChain-v0", "popgym-RepeatPreviousEasy-v0"
            })
    void mistakesAreNamed(String name) {
        Player player = new Player(name, 3, 40);
        player.choices[1] = 9;
        assertThatThrownBy(() -> player.batch.step(player.choices, player.values, player.result))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("choice 9 of environment 41");
        assertThatThrownBy(() -> player.batch.step(new int[2], player.values, player.result))
                .hasMessageContaining("2 choices for 3 environments");
        VectorEnvironment fresh = Environments.get(name).create(2);
        assertThatThrownBy(() -> fresh.step(new int[2], new float[0], StepBatch.allocate(2, 9)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("reset");
        assertThatThrownBy(() -> Environments.get(name).create(0)).hasMessageContaining("at least 1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"CartPole-v1", "Pendulum-v1"})
    void stateOfAnotherKindIsRefused(String name) throws IOException {
        byte[] saved = saved(new Player("ProofOfMemory-v0", 4, 0).batch, 1);
        VectorEnvironment batch = Environments.get(name).create(4);
        assertThatThrownBy(() -> batch.restoreState(1, new DataInputStream(new ByteArrayInputStream(saved))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("of ProofOfMemory-v0, not of " + name);
    }

    @ParameterizedTest
    @CsvSource({
        "popgym-PositionOnlyCartPoleEasy-v0, popgym-PositionOnlyCartPoleMedium-v0",
        "popgym-NoisyPositionOnlyPendulumEasy-v0, popgym-NoisyPositionOnlyPendulumHard-v0",
        "TMaze-v0:length=5, TMaze-v0:length=6",
        "TMaze-v0, TMaze-v0:length=11",
        "CartPole-v1+time_limit=7, popgym-PositionOnlyCartPoleEasy-v0+time_limit=7"
    })
    void stateOfOneWithOtherParametersIsRefused(String of, String other) throws IOException {
        byte[] saved = saved(new Player(of, 2, 0).batch, 1);
        VectorEnvironment batch = Environments.get(other).create(2);
        assertThatThrownBy(() -> batch.restoreState(1, new DataInputStream(new ByteArrayInputStream(saved))))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not of");
    }

    /** One of a user's own, which fails in its third step. */
    private static final class Failing extends BatchedEnvironment {
        Failing(int count) {
            super(count, new Space.Box(1, 0, 1), new Space.Discrete(2), NO_TIME_LIMIT);
        }

        @Override
        protected void begin(int i, float[] observations) {
            observations[i] = 0;
        }

        @Override
        protected void advance(int[] choices, float[] values, StepBatch result) {
            if (elapsed[0] == 2) {
                throw new IllegalStateException("out of paper");
            }
        }
    }

    @Test
    void usersMayWriteOneForManyAgentsAndItsMistakesAreNamed() throws IOException {
        VectorEnvironment batch =
                EnvironmentSpec.ofBatches("Failing-v0", "fails", Failing::new).create(2);
        StepBatch result = StepBatch.allocate(2, 1);
        batch.reset(1, 4, result.observations());
        batch.step(new int[2], new float[0], result);
        byte[] state = saved(batch, 0);
        assertThat(new DataInputStream(new ByteArrayInputStream(state)).readUTF())
                .isEqualTo("Failing-v0");
        batch.step(new int[2], new float[0], result);
        assertThatThrownBy(() -> batch.step(new int[2], new float[0], result))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining("Failing-v0: environments 4 to 5, step 2: step threw")
                .hasMessageContaining("out of paper");
    }

    @Test
    void aStateIsTheSameHoweverItsParametersAreWritten() throws IOException {
        byte[] saved = saved(new Player("MemoryChain-v0:bits=3,length=5", 2, 0).batch, 1);
        VectorEnvironment batch = Environments.get("MemoryChain-v0:bits=3").create(2);
        batch.restoreState(1, new DataInputStream(new ByteArrayInputStream(saved)));
        assertThat(saved(batch, 1)).isEqualTo(saved);
    }
}
