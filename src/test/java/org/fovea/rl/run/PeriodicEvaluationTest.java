// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import org.fovea.backend.Backend;
import org.fovea.io.Checkpoint;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("integration")
class PeriodicEvaluationTest {
    private static final int ITERATIONS = 6;
    private static final TrainingOptions NONE =
            TrainingOptions.DEFAULT.withFinalEvaluation(new EvaluationSettings(0, 1, 500, 1));

    @TempDir
    private Path directory;

    private static RunSpec spec(String environment, String policy) {
        return Runs.small(environment, PolicyKind.of(policy), ITERATIONS, Map.of());
    }

    /** After every second iteration, unless said otherwise. */
    private static TrainingOptions evaluated(RunSpec spec, double target) {
        return NONE.withEvaluations(new EvaluationPlan(2 * spec.stepsPerIteration(), 5, target));
    }

    private record Outcome(TrainResult result, float[] parameters) {}

    private static Outcome start(RunSpec spec, Path run, TrainingOptions options, BooleanSupplier stop) {
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, run)) {
            TrainResult result = trainer.run(options, Progress.Listener.NONE, stop);
            return new Outcome(result, Runs.parameters(trainer));
        }
    }

    private static Outcome resume(Path run, TrainingOptions options) throws IOException {
        SavedRun saved = SavedRun.load(run);
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.resume(backend, saved.spec(), saved, run)) {
            TrainResult result =
                    trainer.run(options.withEvaluations(saved.evaluations()), Progress.Listener.NONE, () -> false);
            return new Outcome(result, Runs.parameters(trainer));
        }
    }

    private static List<String> table(Path run) throws IOException {
        return Files.readAllLines(run.resolve(RunFiles.EVALUATIONS));
    }

    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "ProofOfMemory-v0, attention"})
    void evaluationsChangeNoBitOfARun(String environment, String policy) throws IOException {
        RunSpec spec = spec(environment, policy);
        Path plain = directory.resolve("plain");
        Path run = directory.resolve("run");

        float[] without = start(spec, plain, NONE, () -> false).parameters();
        float[] with =
                start(spec, run, evaluated(spec, Double.NaN), () -> false).parameters();

        assertThat(with).isEqualTo(without);
        assertThat(table(run)).extracting(line -> line.split(",")[0]).containsExactly("iteration", "2", "4", "6");
        assertThat(plain.resolve(RunFiles.EVALUATIONS)).doesNotExist();
        assertThat(plain.resolve(RunFiles.BEST)).doesNotExist();
    }

    @Test
    void theBestPolicyIsKeptBesideTheLast() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp");
        TrainingOptions options = evaluated(spec, Double.NaN);
        TrainResult result = start(spec, directory, options, () -> false).result();

        String best = "";
        double highest = Double.NEGATIVE_INFINITY;
        for (String line : table(directory).subList(1, 4)) {
            double mean = Double.parseDouble(line.split(",")[4]);
            if (mean > highest) {
                highest = mean;
                best = line;
            }
        }
        SavedRun kept = SavedRun.loadBest(directory);
        assertThat(kept.steps())
                .isEqualTo(Long.parseLong(best.split(",")[1]))
                .isEqualTo(result.best().steps());
        assertThat(kept.iteration()).isEqualTo(Long.parseLong(best.split(",")[0]));
        try (Backend backend = Runs.cpu(1);
                TrainedPolicy policy =
                        TrainedPolicy.open(backend, kept, options.evaluations().settings(500))) {
            assertThat(policy.evaluate(Progress.Listener.NONE, () -> false).mean())
                    .isEqualTo(result.best().meanReturn());
        }
        assertThat(SavedRun.load(directory).iteration()).isEqualTo(ITERATIONS);
    }

    @Test
    void aRunThatIsInterruptedHasTheSameEvaluations() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp");
        Path whole = directory.resolve("whole");
        Path parts = directory.resolve("parts");
        TrainingOptions options = evaluated(spec, Double.NaN);
        TrainResult uninterrupted = start(spec, whole, options, () -> false).result();

        // Stopped after three iterations, as soon as their line is in the table of progress.
        start(spec, parts, options, () -> lines(parts.resolve(RunFiles.PROGRESS)) == 1 + 3);
        assertThat(SavedRun.load(parts).iteration()).isEqualTo(3);
        Outcome resumed = resume(parts, NONE);

        assertThat(table(parts)).isEqualTo(table(whole));
        assertThat(resumed.result().best()).isEqualTo(uninterrupted.best());
    }

    @Test
    void anEvaluationThatIsStoppedIsPlayedLater() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp");
        Path whole = directory.resolve("whole");
        Path parts = directory.resolve("parts");
        TrainingOptions options = evaluated(spec, Double.NaN);
        start(spec, whole, options, () -> false);

        AtomicBoolean evaluating = new AtomicBoolean();
        Progress.Listener listener = new Progress.Listener() {
            @Override
            public void progressed(Progress progress) {}

            @Override
            public void evaluating(int episodes, int total, long steps) {
                evaluating.set(true);
            }
        };
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, parts)) {
            TrainResult stopped = trainer.run(options, listener, evaluating::get);
            assertThat(stopped.training().steps()).isEqualTo(2 * spec.stepsPerIteration());
            assertThat(table(parts)).hasSize(1);
        }
        resume(parts, NONE);

        assertThat(table(parts)).isEqualTo(table(whole));
    }

    /** As if it had been killed after what was the best, and before the run's own checkpoint of it. */
    @Test
    void whatARunHasYetToTakeIsNotItsBest() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp");
        start(spec, directory, evaluated(spec, Double.NaN), () -> false);
        Checkpoint kept = Checkpoint.load(directory.resolve(RunFiles.BEST));
        new Checkpoint(
                        100 * spec.stepsPerIteration(),
                        kept.tensors(),
                        new HashMap<>(Map.of("best.return_mean", "1e9", "best.steps", "1")),
                        kept.files())
                .save(directory.resolve(RunFiles.BEST));

        assertThat(resume(directory, NONE).result().best().meanReturn()).isLessThan(1e9);
    }

    @Test
    void aTargetEndsTheRunWhichStaysThere() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp");

        TrainResult reached =
                start(spec, directory, evaluated(spec, 1), () -> false).result();
        TrainResult resumed = resume(directory, NONE).result();
        TrainResult never =
                start(spec, directory, evaluated(spec, 501), () -> false).result();

        assertThat(reached.training().end()).isEqualTo(TrainResult.End.TARGET);
        assertThat(reached.training().steps()).isEqualTo(2 * spec.stepsPerIteration());
        assertThat(resumed.training().end()).isEqualTo(TrainResult.End.TARGET);
        assertThat(resumed.training().steps()).isEqualTo(2 * spec.stepsPerIteration());
        assertThat(never.training().end()).isEqualTo(TrainResult.End.COMPLETE);
        assertThat(never.training().steps()).isEqualTo(ITERATIONS * spec.stepsPerIteration());
    }

    @Test
    void aTimeLimitEndsARunThatGoesOnLater() throws IOException {
        RunSpec spec = spec("CartPole-v1", "mlp").withSteps(1_000_000_000);

        TrainResult stopped =
                start(spec, directory, NONE.withMaxSeconds(0.5), () -> false).result();

        assertThat(stopped.training().end()).isEqualTo(TrainResult.End.TIME_LIMIT);
        assertThat(stopped.training().seconds()).isBetween(0.5, 10.0);
        assertThat(SavedRun.load(directory).steps())
                .isEqualTo(stopped.training().steps())
                .isPositive();
    }

    @Test
    void whatCannotBePlannedIsRefused() {
        assertThatThrownBy(() -> new EvaluationPlan(-1, 5, Double.NaN)).hasMessageContaining("eval-every");
        assertThatThrownBy(() -> new EvaluationPlan(100, 0, Double.NaN)).hasMessageContaining("eval-episodes");
        assertThatThrownBy(() -> new EvaluationPlan(0, 5, 1)).hasMessageContaining("target needs evaluations");
    }

    private static long lines(Path file) {
        try {
            return Files.exists(file) ? Files.readAllLines(file).size() : 0;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
