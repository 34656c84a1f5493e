// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.cuda.Simulator;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.rl.evaluation.EvaluationSettings;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.fovea.rl.rollout.PlaySettings;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Runs whose environments kernels step. */
@Tag("integration")
class DeviceRunTest {
    private static final long ITERATIONS = 3;

    @TempDir
    private Path directory;

    private static PlaySettings play(EnvironmentPlace place) {
        return new PlaySettings(0, PlaySettings.Overlap.AUTO, place);
    }

    private static RunSpec spec(String environment, PolicyKind policy) {
        return Runs.small(environment, policy, ITERATIONS, Map.of("epochs", "1", "rollout_steps", "9"))
                .withEnvironments(7);
    }

    /** Trains to an iteration, from the last that is there; returns the parameters. */
    private float[] train(Backend device, RunSpec spec, Path run, EnvironmentPlace place, long until, boolean resume)
            throws IOException {
        RunSpec cut = spec.withSteps(until * spec.stepsPerIteration());
        try (Backend backend = device;
                Trainer trainer = resume
                        ? Trainer.resume(backend, cut, SavedRun.load(run), run, play(place))
                        : Trainer.start(backend, cut, run, play(place))) {
            trainer.run(
                    TrainingOptions.DEFAULT.withFinalEvaluation(new EvaluationSettings(0, 1, 1, 1)),
                    Progress.Listener.NONE,
                    () -> false);
            assertThat(trainer.resumesExactly()).isTrue();
            return Runs.parameters(trainer);
        }
    }

    @ParameterizedTest
    @CsvSource({"ProofOfMemory-v0, attention", "Dispatch-v0, mlp"})
    void whereEnvironmentsStepMakesNoDifference(String environment, String policy) throws IOException {
        RunSpec spec = spec(environment, PolicyKind.of(policy)).with(Map.of("learning_rate_schedule", "constant"));
        float[] expected =
                train(Simulator.open(), spec, directory.resolve("host"), EnvironmentPlace.HOST, ITERATIONS, false);
        assertThat(train(
                        Simulator.open(),
                        spec,
                        directory.resolve("device"),
                        EnvironmentPlace.DEVICE,
                        ITERATIONS,
                        false))
                .as("on the device")
                .isEqualTo(expected);
        Path moved = directory.resolve("moved");
        train(Simulator.open(), spec, moved, EnvironmentPlace.DEVICE, 1, false);
        train(Simulator.open(), spec, moved, EnvironmentPlace.HOST, 2, true);
        assertThat(train(Simulator.open(), spec, moved, EnvironmentPlace.DEVICE, ITERATIONS, true))
                .as("moved from one to the other")
                .isEqualTo(expected);
    }

    @Test
    void numbersWithBoundsAreTheSameOnBoth() throws IOException {
        RunSpec spec = spec("Pendulum-v1", PolicyKind.MLP);
        float[] expected = train(Simulator.open(), spec, directory.resolve("host"), EnvironmentPlace.HOST, 1, false);
        float[] actual = train(Simulator.open(), spec, directory.resolve("device"), EnvironmentPlace.DEVICE, 1, false);
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).isCloseTo(expected[i], within(1e-3f));
        }
    }

    @Test
    void onTheCpuADeviceIsTheClassInJava() throws IOException {
        RunSpec spec = spec("ProofOfMemory-v0", PolicyKind.MLP);
        float[] expected = train(Runs.cpu(1), spec, directory.resolve("host"), EnvironmentPlace.HOST, 1, false);
        assertThat(train(Runs.cpu(1), spec, directory.resolve("device"), EnvironmentPlace.DEVICE, 1, false))
                .isEqualTo(expected);
    }

    /** An environment whose kernel nobody has built. */
    private static final class Unbuilt extends BatchedEnvironment {
        private record Constants() {}

        Unbuilt(int count) {
            super(count, new Space.Box(1, 0, 1), new Space.Discrete(2), 5);
        }

        @Override
        protected DeviceForm deviceForm() {
            return new DeviceForm("of_nobody", new Constants());
        }

        @Override
        protected void begin(int i, float[] observations) {
            observations[i] = 0;
        }

        @Override
        protected void advance(int[] choices, float[] values, StepBatch result) {}
    }

    @Test
    void whatCannotBeOnADeviceSaysSo() throws IOException {
        Simulator.load();
        Environments.register(EnvironmentSpec.ofBatches("Unbuilt-v0", "for this test", Unbuilt::new));
        RunSpec unbuilt = spec("Unbuilt-v0", PolicyKind.MLP);
        assertThatThrownBy(() -> train(Simulator.open(), unbuilt, directory, EnvironmentPlace.DEVICE, 1, false))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessage(
                        "the kernel of_nobody of Unbuilt-v0 is not among those that were built; FOVEA_KERNELS must name the"
                                + " directory of its .cu when ./fovea builds them");
        train(Simulator.open(), unbuilt, directory.resolve("auto"), EnvironmentPlace.AUTO, 1, false);
        RunSpec wrapped = spec("CartPole-v1+frame_stack=2", PolicyKind.MLP);
        assertThatThrownBy(() -> train(Simulator.open(), wrapped, directory, EnvironmentPlace.DEVICE, 1, false))
                .isInstanceOf(InvalidEnvironmentException.class)
                .hasMessageStartingWith(
                        "CartPole-v1+frame_stack=2 has no device form; those that have, without wrappers: CartPole-v1,");
    }
}
