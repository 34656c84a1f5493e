// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.EpisodeStatistics;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A run's outcome follows from its specification: not from threads, and not from interruptions. */
@Tag("integration")
class ReproducibilityTest {
    private static final int ITERATIONS = 6;

    @TempDir
    Path directory;

    @ParameterizedTest
    @CsvSource({"ProofOfMemory-v0, attention", "Pendulum-v1, attention", "CartPole-v1, mlp"})
    void anyNumberOfThreadsGivesTheSameParameters(String environment, String policy) {
        RunSpec spec = Runs.small(environment, PolicyKind.of(policy), ITERATIONS, Map.of());
        float[] one = train(spec, 1, "one");
        assertThat(train(spec, 2, "two")).isEqualTo(one);
        assertThat(train(spec, 5, "five")).isEqualTo(one);
    }

    @Test
    void anotherSeedGivesOthers() {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 2, Map.of());
        assertThat(train(spec.withSeed(spec.seed() + 1), 2, "b")).isNotEqualTo(train(spec, 2, "a"));
    }

    @BeforeAll
    static void register() {
        NearestEntity.register();
    }

    @ParameterizedTest
    @CsvSource({
        "ProofOfMemory-v0, attention, 5, 0",
        "popgym-RepeatPreviousEasy-v0, attention, 31, 0",
        "Pendulum-v1, attention, 5, 0",
        "Pendulum-v1, mlp, 1, 0",
        "CartPole-v1, mlp, 1, 0",
        "Dispatch-v0, attention, 5, 0",
        "popgym-RepeatPreviousEasy-v0, gru, 1, 0",
        "MemoryChain-v0:length=3, attention, 2, 0",
        "NearestEntityAndCount-v0, attention, 5, 0",
        "popgym-RepeatPreviousEasy-v0, attention, 31, 4",
        "popgym-RepeatPreviousEasy-v0, gru, 1, 7"
    })
    void aResumedRunEndsWhereAnUninterruptedOneDoes(String environment, String policy, int window, int burnIn)
            throws IOException {
        Map<String, String> settings = Map.of("window", "" + window, "burn_in", "" + burnIn, "target_kl", "0.02");
        RunSpec spec = Runs.small(environment, PolicyKind.of(policy), ITERATIONS, settings);
        float[] uninterrupted = train(spec, 2, "whole");

        Path run = directory.resolve("parts");
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, run)) {
            int[] iterations = {0};
            TrainResult result = trainer.run(progress -> iterations[0]++, () -> iterations[0] == 2);
            assertThat(result.training().end()).isEqualTo(TrainResult.End.INTERRUPTED);
            assertThat(result.training().steps()).isEqualTo(2 * spec.stepsPerIteration());
        }
        SavedRun saved = SavedRun.load(run);
        assertThat(saved.spec()).isEqualTo(spec);
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.resume(backend, spec, saved, run)) {
            assertThat(trainer.resumesExactly()).isTrue();
            TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);
            assertThat(result.training().steps()).isEqualTo(ITERATIONS * spec.stepsPerIteration());
            assertThat(Runs.parameters(trainer)).isEqualTo(uninterrupted);
        }
        assertThat(run.resolve(RunFiles.PROGRESS)).content().hasLineCount(ITERATIONS + 1);
    }

    @Test
    void aChangeIsKeptAtOnceAndHasItsEffect() throws IOException {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, ITERATIONS, Map.of());
        float[] trained = train(spec, 1, "run");
        Path run = directory.resolve("run");
        SavedRun saved = SavedRun.load(run);
        RunSpec longer = saved.specWith(2 * spec.steps(), Map.of("learning_rate", "0"));
        try (Backend backend = Runs.cpu(1)) {
            Trainer.resume(backend, longer, saved, run).close();

            SavedRun changed = SavedRun.load(run);
            assertThat(changed.spec()).isEqualTo(longer);
            assertThat(changed.changes())
                    .extracting(SettingChange::setting, SettingChange::after)
                    .containsExactly(tuple("steps", "" + longer.steps()), tuple("learning_rate", "0.0"));
            try (Trainer trainer = Trainer.resume(backend, longer, changed, run)) {
                TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);
                assertThat(result.training().steps()).isEqualTo(longer.steps());
                assertThat(Runs.parameters(trainer)).isEqualTo(trained);
                assertThat(result.changes()).isEqualTo(changed.changes());
            }
            assertThat(SavedRun.load(run).changes()).isEqualTo(changed.changes());
            assertThatThrownBy(() -> Trainer.resume(backend, longer.with(Map.of("width", "8")), changed, run))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("cannot change width");
        }
    }

    /** What an episode under way began its burn-in with is not kept, so that new ones begin. */
    @ParameterizedTest
    @CsvSource({"attention, 0, 4", "attention, 4, 0", "gru, 3, 5"})
    void withAnotherBurnInEpisodesStartAfresh(String policy, int before, int after) throws IOException {
        RunSpec spec = Runs.small(
                "popgym-RepeatPreviousEasy-v0",
                PolicyKind.of(policy),
                2,
                Map.of("burn_in", "" + before, "epochs", "1", "minibatches", "1"));
        train(spec, 1, "run");
        Path run = directory.resolve("run");
        SavedRun saved = SavedRun.load(run);
        RunSpec changed = saved.specWith(8 * spec.stepsPerIteration(), Map.of("burn_in", "" + after));
        assertThat(saved.startsEpisodesAfresh(changed)).isTrue();
        assertThat(saved.startsEpisodesAfresh(spec)).isFalse();
        try (Backend backend = Runs.cpu(1)) {
            Trainer.resume(backend, changed, saved, run).close();
            SavedRun kept = SavedRun.load(run);
            try (Trainer trainer = Trainer.resume(backend, changed, kept, run)) {
                assertThat(trainer.resumesExactly()).isTrue();
                for (int iteration = 0; iteration < 6; iteration++) {
                    assertThat(trainer.iterate().loss().maxRatioDeviation()).isLessThan(1e-4);
                }
                // Episodes take 51 steps: the second of each environment would have ended, had the first gone on.
                EpisodeStatistics episodes = OpenRun.of(trainer).episodes.statistics();
                assertThat(episodes.meanLength()).isEqualTo(51);
                assertThat(episodes.count()).isEqualTo(spec.environments());
            }
        }
    }

    @Test
    void trainingReservesNoMemoryOnceItsStepsAreCaptured() {
        RunSpec spec = Runs.small("ProofOfMemory-v0", PolicyKind.ATTENTION, ITERATIONS, Map.of("burn_in", "6"));
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            trainer.iterate();
            // In this one episodes are cut for the first time, for which there is a step of its own.
            trainer.iterate();
            long reserved = backend.memory().reservedBytes();
            for (int i = 2; i < ITERATIONS; i++) {
                trainer.iterate();
            }
            assertThat(backend.memory().reservedBytes()).isEqualTo(reserved);
        }
    }

    @Test
    void twoTrainersDoNotShareADirectory() {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 1, Map.of());
        try (Backend backend = Runs.cpu(1)) {
            try (Trainer first = Trainer.start(backend, spec, directory)) {
                first.run(Progress.Listener.NONE, () -> false);
                assertThatThrownBy(() -> Trainer.start(backend, spec, directory))
                        .isInstanceOf(RunInUseException.class)
                        .hasMessageContaining(directory.toString());
                assertThat(directory.resolve(RunFiles.PROGRESS)).exists();
            }
            Trainer.start(backend, spec, directory).close();
            assertThat(backend.memory().liveBytes()).isZero();
        }
    }

    @Test
    void aClosedRunHoldsNoMemory() {
        RunSpec spec = Runs.small("Pendulum-v1", PolicyKind.ATTENTION, 1, Map.of());
        try (Backend backend = Runs.cpu(2)) {
            try (Trainer trainer = Trainer.start(backend, spec, directory)) {
                trainer.run(Progress.Listener.NONE, () -> false);
                assertThat(backend.memory().liveBytes()).isPositive();
            }
            assertThat(backend.memory().liveBytes()).isZero();
        }
    }

    private float[] train(RunSpec spec, int threads, String name) {
        try (Backend backend = Runs.cpu(threads);
                Trainer trainer = Trainer.start(backend, spec, directory.resolve(name))) {
            trainer.run(Progress.Listener.NONE, () -> false);
            return Runs.parameters(trainer);
        }
    }
}
