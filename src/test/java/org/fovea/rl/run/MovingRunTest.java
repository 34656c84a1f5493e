// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.io.Checkpoint;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A run goes on where its environments are cut into batches otherwise. */
@Tag("integration")
class MovingRunTest {
    @TempDir
    Path directory;

    /** The CPU, but it wants everything in one piece, as a GPU does. */
    private static Backend whole() {
        Backend cpu = Runs.cpu(2);
        return (Backend) Proxy.newProxyInstance(
                MovingRunTest.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    if (method.getName().equals("shards")) {
                        return 1;
                    }
                    try {
                        return method.invoke(cpu, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    private static Backend open(String name) {
        return switch (name) {
            case "cut" -> Runs.cpu(1);
            case "whole" -> whole();
            default -> Simulator.open();
        };
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, mlp, cut, whole",
        "CartPole-v1, mlp, whole, cut",
        "ProofOfMemory-v0, attention, cut, whole",
        "popgym-RepeatPreviousEasy-v0, attention, whole, cut",
        "Pendulum-v1, attention, cut, whole",
        "MemoryChain-v0:length=3, attention, cut, cuda",
        "MemoryChain-v0:length=3, attention, cuda, cut"
    })
    void environmentsStandWhereTheyStood(String environment, String policy, String from, String to) throws IOException {
        RunSpec spec = Runs.small(environment, PolicyKind.of(policy), 2, Map.of("epochs", "1"));
        byte[] left;
        try (Backend backend = open(from);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            trainer.run(
                    TrainingOptions.DEFAULT.withFinalEvaluation(new EvaluationSettings(0, 1, 1, 1)),
                    Progress.Listener.NONE,
                    () -> false);
            left = environments(trainer);
        }
        SavedRun saved = SavedRun.load(directory);
        try (Backend backend = open(to);
                Trainer trainer =
                        Trainer.resume(backend, spec.withSteps(3 * spec.stepsPerIteration()), saved, directory)) {
            assertThat(trainer.resumesExactly()).isTrue();
            assertThat(environments(trainer)).isEqualTo(left);
            TrainResult result = trainer.run(
                    TrainingOptions.DEFAULT.withFinalEvaluation(new EvaluationSettings(3, 1, 10, 60)),
                    Progress.Listener.NONE,
                    () -> false);
            assertThat(result.training().steps()).isEqualTo(3 * spec.stepsPerIteration());
            assertThat(environments(trainer)).isNotEqualTo(left);
        }
    }

    /** Earlier versions kept the environments by the batches that they were cut into. */
    @Test
    void aCheckpointOfAnEarlierVersionCanBePlayedAndSaysWhyNotMore() throws IOException {
        RunSpec spec = Runs.small("CartPole-v1", PolicyKind.MLP, 1, Map.of("epochs", "1"));
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            trainer.run(
                    TrainingOptions.DEFAULT.withFinalEvaluation(new EvaluationSettings(0, 1, 1, 1)),
                    Progress.Listener.NONE,
                    () -> false);
        }
        Checkpoint written = Checkpoint.load(directory);
        Map<String, byte[]> files = new HashMap<>(written.files());
        byte[] environments = Objects.requireNonNull(files.remove("environments.bin"));
        files.put("environments-0.bin", environments);
        Checkpoint.save(directory, written.step() + 1, written.tensors(), written.metadata(), files);

        SavedRun saved = SavedRun.load(directory);
        try (Backend backend = Runs.cpu(1)) {
            assertThatThrownBy(() -> Trainer.resume(backend, spec, saved, directory))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining(directory + " cannot be resumed")
                    .hasMessageContaining("this version of Fovea")
                    .hasMessageContaining("can be played by eval");
            assertThat(backend.memory().liveBytes()).isZero();
            try (TrainedPolicy policy = TrainedPolicy.open(backend, directory, EvaluationSettings.of(3, 1))) {
                assertThat(policy.evaluate(Progress.Listener.NONE, () -> false).episodes())
                        .isEqualTo(3);
            }
        }
    }

    private static byte[] environments(Trainer trainer) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        trainer.state().collector().saveEnvironments(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }
}
