// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.Memory;
import org.fovea.collective.Collective;
import org.fovea.io.Checkpoint;
import org.fovea.io.TensorType;
import org.fovea.rl.evaluation.Evaluation;
import org.fovea.rl.evaluation.EvaluationResult;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The same bits from one rank, two and four, whatever learns and however often it is stopped. */
@Timeout(300)
final class GroupedRunTest {
    private static final int GROUPS = 4;

    @TempDir
    Path directory;

    /** What is learned. */
    private enum Kind {
        MLP(Runs.small(
                "CartPole-v1",
                PolicyKind.MLP,
                4,
                Map.of("normalize_observations", "true", "normalize_rewards", "true", "target_kl", "0.002"))),
        CONTINUOUS(Runs.small("Pendulum-v1", PolicyKind.MLP, 4, Map.of("adaptive_kl", "0.01"))),
        ATTENTION(Runs.small("ProofOfMemory-v0", PolicyKind.ATTENTION, 4, Map.of())),
        GRU(Runs.small("popgym-RepeatPreviousEasy-v0", PolicyKind.GRU, 4, Map.of("burn_in", "3"))),
        TRPO(Runs.small("CartPole-v1", Algorithm.TRPO, PolicyKind.MLP, 3, Map.of())),
        TRPO_ATTENTION(Runs.small("ProofOfMemory-v0", Algorithm.TRPO, PolicyKind.ATTENTION, 2, Map.of()));

        private final RunSpec spec;

        Kind(RunSpec spec) {
            this.spec = spec.withGroups(GROUPS);
        }
    }

    private static TrainingOptions options(RunSpec spec) {
        EvaluationSettings last = EvaluationSettings.of(7, 1);
        return new TrainingOptions(
                last,
                new EvaluationPlan(2 * spec.stepsPerIteration(), 6, Double.NaN),
                Double.POSITIVE_INFINITY,
                Map.of());
    }

    private Path train(int ranks, RunSpec spec) {
        Path run = directory.resolve("ranks-" + ranks);
        GroupedRun.train(ranks, spec, run, options(spec));
        return run;
    }

    @ParameterizedTest
    @EnumSource
    @Tag("integration")
    void theSameBitsFromAnyNumberOfRanks(Kind kind) throws IOException {
        Path one = train(1, kind.spec);
        for (int ranks : new int[] {2, 4}) {
            assertSame(one, train(ranks, kind.spec));
        }
    }

    @Test
    void theSameBitsFromTwoRanks() throws IOException {
        assertSame(train(1, Kind.MLP.spec), train(2, Kind.MLP.spec));
    }

    @Nested
    @Tag("integration")
    class OnCuda {
        /** Gradients leave the device between the captured pass and the captured step of the optimiser, and come back. */
        @Test
        void theSameBitsOnASimulatedDevice() throws IOException {
            Simulator.open().close();
            RunSpec spec =
                    Runs.small("CartPole-v1", PolicyKind.MLP, 2, Map.of()).withGroups(2);
            Path one = directory.resolve("one");
            Path two = directory.resolve("two");
            TrainingOptions options = new TrainingOptions(
                    EvaluationSettings.of(0, 1), EvaluationPlan.NONE, Double.POSITIVE_INFINITY, Map.of());
            GroupedRun.train(1, spec, one, options, Simulator::open);
            GroupedRun.train(2, spec, two, options, Simulator::open);
            assertThat(progress(two)).isEqualTo(progress(one)).hasSize(3);
            assertThat(Checkpoint.load(two).files().get("environments-1.bin"))
                    .isEqualTo(Checkpoint.load(one).files().get("environments-1.bin"));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"MLP", "ATTENTION", "TRPO_ATTENTION", "GRU"})
    @Tag("integration")
    void aRunGoesOnWithAnyNumberOfRanks(Kind kind) throws IOException {
        // The number of steps, which changes here, decides how rates fall.
        RunSpec spec = kind.spec.with(Map.of("learning_rate_schedule", "constant"));
        Path whole = train(1, spec);
        Path parts = directory.resolve("parts");
        long each = spec.stepsPerIteration();
        GroupedRun.train(2, spec.withSteps(each), parts, options(spec));
        GroupedRun.resume(4, parts, 2 * each, options(spec));
        GroupedRun.resume(1, parts, spec.steps(), options(spec));
        assertThat(numbers(parts)).isEqualTo(numbers(whole));
    }

    /** Columns but for those of time, and the newest checkpoint. */
    private static void assertSame(Path one, Path other) throws IOException {
        assertThat(progress(other)).isEqualTo(progress(one));
        assertThat(Files.readString(other.resolve(RunFiles.EVALUATIONS)))
                .isEqualTo(Files.readString(one.resolve(RunFiles.EVALUATIONS)));
        assertThat(numbers(other)).isEqualTo(numbers(one));
    }

    private static List<String> progress(Path run) throws IOException {
        List<String> lines = new ArrayList<>();
        for (String line : Files.readAllLines(run.resolve(RunFiles.PROGRESS))) {
            List<String> columns = new ArrayList<>(Arrays.asList(line.split(",")));
            columns.remove(2);
            lines.add(String.join(",", columns));
        }
        assertThat(lines.get(0)).doesNotContain("steps_per_second");
        return lines;
    }

    private static Map<String, Integer> numbers(Path run) throws IOException {
        Checkpoint checkpoint = Checkpoint.load(run);
        Map<String, Integer> all = new TreeMap<>();
        checkpoint
                .tensors()
                .forEach((name, tensor) -> all.put(
                        name,
                        tensor.type() == TensorType.F64
                                ? Arrays.hashCode(tensor.toDoubles())
                                : Arrays.hashCode(tensor.toFloats())));
        checkpoint.files().forEach((name, bytes) -> all.put(name, Arrays.hashCode(bytes)));
        assertThat(all).containsKey("environments-3.bin");
        return all;
    }

    /** Environments are numbered over all groups: until the first update, the same episodes as those of a run without groups. */
    @Test
    void theFirstRolloutIsThatOfARunWithoutGroups() {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 1, Map.of());
        float[] observations;
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, spec)) {
            run.collect();
            observations = downloaded(backend, run);
        }
        int[] seen = new int[1];
        GroupedRun.start(2, spec.withGroups(GROUPS), directory.resolve("run"), (trainer, collective) -> {
            OpenRun run = OpenRun.of(trainer);
            run.collect();
            float[] own = downloaded(run.agent.backend(), run);
            float[] expected = Arrays.copyOfRange(
                    observations, collective.rank() * own.length, (collective.rank() + 1) * own.length);
            assertThat(own).isEqualTo(expected);
            synchronized (seen) {
                seen[0]++;
            }
        });
        assertThat(seen[0]).isEqualTo(GROUPS);
    }

    @Test
    void anEvaluationIsThatOfOneWhoPlaysAll() {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 1, Map.of());
        // Fewer episodes than groups, and more than environments.
        for (int episodes : new int[] {3, 50}) {
            EvaluationSettings settings = EvaluationSettings.of(episodes, 3).withSampledActions();
            EvaluationResult expected;
            try (Backend backend = Runs.cpu(1);
                    Trainer alone = Trainer.start(backend, spec, directory.resolve("alone"))) {
                expected = evaluate(alone, spec, settings, Collective.single());
            }
            List<EvaluationResult> seen = new ArrayList<>();
            GroupedRun.start(2, spec.withGroups(GROUPS), directory.resolve("run"), (trainer, collective) -> {
                EvaluationResult result = evaluate(trainer, spec, settings, collective);
                synchronized (seen) {
                    seen.add(result);
                }
            });
            assertThat(expected.episodes()).isEqualTo(episodes);
            assertThat(seen).hasSize(GROUPS).containsOnly(expected);
        }
    }

    private static EvaluationResult evaluate(
            Trainer trainer, RunSpec spec, EvaluationSettings settings, Collective collective) {
        TrainingState state = trainer.state();
        return Evaluation.play(
                state.agent(),
                state.collector().environments(),
                spec.environments(),
                spec.config().rollout().rolloutSteps(),
                settings,
                new Evaluation.Listener() {},
                () -> false,
                collective);
    }

    private static float[] downloaded(Backend backend, OpenRun run) {
        Memory memory = backend.memory();
        float[] numbers = new float[Math.toIntExact(run.rollout.observations().length())];
        memory.download(run.rollout.observations(), numbers, 0);
        return numbers;
    }

    @Test
    void groupsMustFit() {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 1, Map.of());
        assertThatThrownBy(() -> spec.withGroups(3)).hasMessage("groups must be a power of two, got 3");
        assertThatThrownBy(() -> spec.withGroups(16))
                .hasMessage("envs must be a multiple of the 16 groups that they are in, got 40");
        assertThat(RunSpec.restore(spec.withGroups(4).save())).isEqualTo(spec.withGroups(4));
        assertThat(spec.save()).doesNotContainKey("groups");
    }
}
