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
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The contract of batches with the trainer, checked on each kind of environment under random actions. */
class BatchContractTest {
    private static final long SEED = 7;

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
    @ValueSource(
            strings = {
                "CartPole-v1",
                "Pendulum-v1",
                "Acrobot-v1",
                "ProofOfMemory-v0",
                "MemoryChain-v0",
                "MemoryChain-v0:length=3,bits=3",
                "popgym-RepeatPreviousEasy-v0",
                "Dispatch-v0"
            })
    void cuttingABatchChangesNothing(String name) {
        Player whole = new Player(name, 64, 5);
        Player[] parts = new Player[4];
        Arrays.setAll(parts, p -> new Player(name, 16, 5 + 16 * p));
        int size = whole.batch.observationSpace().size();
        for (int step = 0; step < 230; step++) {
            whole.play(5, step);
            for (int p = 0; p < 4; p++) {
                parts[p].play(5 + 16 * p, step);
                int row = 16 * p;
                assertThat(parts[p].result.observations())
                        .containsExactly(
                                Arrays.copyOfRange(whole.result.observations(), row * size, (row + 16) * size));
                assertThat(parts[p].result.finalObservations())
                        .containsExactly(
                                Arrays.copyOfRange(whole.result.finalObservations(), row * size, (row + 16) * size));
                assertThat(parts[p].result.rewards())
                        .containsExactly(Arrays.copyOfRange(whole.result.rewards(), row, row + 16));
                assertThat(parts[p].result.terminated())
                        .containsExactly(Arrays.copyOfRange(whole.result.terminated(), row, row + 16));
                assertThat(parts[p].result.truncated())
                        .containsExactly(Arrays.copyOfRange(whole.result.truncated(), row, row + 16));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CartPole-v1",
                "Pendulum-v1",
                "Acrobot-v1",
                "ProofOfMemory-v0",
                "MemoryChain-v0:length=6,bits=2",
                "popgym-RepeatPreviousEasy-v0",
                "Dispatch-v0"
            })
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
        for (int step = 37; step < 400; step++) {
            original.play(2, step);
            for (int part = 0; part < 2; part++) {
                restored[part].play(2 + first[part], step);
                StepBatch result = restored[part].result;
                int from = first[part];
                int to = from + result.rewards().length;
                assertThat(result.observations())
                        .containsExactly(Arrays.copyOfRange(original.result.observations(), from * size, to * size));
                assertThat(result.rewards()).containsExactly(Arrays.copyOfRange(original.result.rewards(), from, to));
                assertThat(result.terminated())
                        .containsExactly(Arrays.copyOfRange(original.result.terminated(), from, to));
                assertThat(result.truncated())
                        .containsExactly(Arrays.copyOfRange(original.result.truncated(), from, to));
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
    @ValueSource(
            strings = {
                "CartPole-v1",
                "Pendulum-v1",
                "Acrobot-v1",
                "ProofOfMemory-v0",
                "MemoryChain-v0",
                "popgym-RepeatPreviousEasy-v0",
                "Dispatch-v0"
            })
    void episodesOfOneSeedDifferAndTheSeedRepeatsThem(String name) {
        Player one = new Player(name, 31, 0);
        Player again = new Player(name, 31, 0);
        assertThat(again.result.observations()).containsExactly(one.result.observations());
        int size = one.batch.observationSpace().size();
        long kinds = 0;
        float[] first = one.result.observations();
        for (int i = 1; i < 31; i++) {
            boolean same = Arrays.equals(first, 0, size, first, i * size, (i + 1) * size);
            kinds += same ? 0 : 1;
        }
        assertThat(kinds).as("starts unlike that of environment 0").isPositive();
        float[] other = first.clone();
        one.batch.reset(SEED + 1, 0, other);
        assertThat(other).isNotEqualTo(first);
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
                .hasMessageContaining("of ProofOfMemory, not of");
    }
}
