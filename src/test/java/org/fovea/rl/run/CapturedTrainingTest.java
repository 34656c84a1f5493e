package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.rollout.Stop;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Training steps as captured steps. */
@Tag("integration")
class CapturedTrainingTest {

    private static RunSpec spec(String policy, int epochs, int minibatches) {
        Map<String, String> settings = Map.of(
                "epochs", "" + epochs,
                "minibatches", "" + minibatches,
                "rollout_steps", "5",
                "width", "8",
                "heads", "2",
                "layers", "1",
                "window", "3");
        PolicyKind kind = PolicyKind.of(policy);
        AlgorithmConfig config =
                Defaults.of("CartPole-v1", Algorithm.PPO, kind).config().with(settings);
        return new RunSpec("CartPole-v1", kind, 1000, 5, 3, config);
    }

    private static UpdateStatistics update(TrainingState state, int iteration) {
        state.collect(new Stop(() -> false));
        UpdateStatistics statistics = state.learner().update(0, 7, iteration, iteration);
        state.advance();
        return statistics;
    }

    @ParameterizedTest
    @ValueSource(strings = {"mlp", "attention"})
    void onAGpuATrainingStepIsOneGraphLaunch(String policy) {
        Simulator.assumeSimulated();
        int kernelsOfSixSteps;
        try (Backend backend = Simulator.open();
                TrainingState state = TrainingState.create(backend, spec(policy, 2, 3))) {
            state.reset();
            update(state, 0);
            state.collect(new Stop(() -> false));
            assertThat(calls("cuGraphLaunch", state)).isEqualTo(6);
            assertThat(calls("cuGraphInstantiateWithFlags", state)).isZero();
            assertThat(calls("cuMemAlloc_v2", state)).isZero();
            kernelsOfSixSteps = calls("cuLaunchKernel", state);
        }
        try (Backend backend = Simulator.open();
                TrainingState state = TrainingState.create(backend, spec(policy, 1, 1))) {
            state.reset();
            update(state, 0);
            state.collect(new Stop(() -> false));
            assertThat(kernelsOfSixSteps)
                    .as("kernels launched beside the steps, whatever their number")
                    .isEqualTo(calls("cuLaunchKernel", state));
        }
    }

    private static int calls(String function, TrainingState state) {
        return Simulator.calls(function, () -> state.learner().update(0, 7, 1, 1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"mlp", "attention"})
    void minibatchesOfUnevenSizeAreLearnedFromOnAGpuAsOnTheCpu(String policy) {
        // 25 or 5 units in 3 minibatches.
        UpdateStatistics[] seen = new UpdateStatistics[2];
        float[][] parameters = new float[2][];
        for (int device = 0; device < 2; device++) {
            try (Backend backend = device == 0 ? Runs.cpu(1) : Simulator.open();
                    TrainingState state = TrainingState.create(backend, spec(policy, 2, 3))) {
                state.reset();
                seen[device] = update(state, 0);
                parameters[device] = Runs.parameters(state);
            }
        }
        // Six steps move a parameter by up to 6e-3. Adam magnifies rounding where a gradient is small, but not to a
        // tenth
        // of a step.
        assertThat(seen[1].entropy()).isCloseTo(seen[0].entropy(), within(1e-4));
        assertThat(parameters[1]).containsExactly(parameters[0], within(1e-4f));
    }

    @Test
    void aLossThatIsNotFiniteLeavesTheParametersAsTheyWere() {
        for (boolean gpu : new boolean[] {false, true}) {
            try (Backend backend = gpu ? Simulator.open() : Runs.cpu(2);
                    TrainingState state = TrainingState.create(backend, spec("mlp", 3, 2))) {
                state.reset();
                update(state, 0);
                float[] before = Runs.parameters(state);
                state.collect(new Stop(() -> false));
                backend.memory().fill(state.rollout().rewards().slice(7, 1), Double.NaN);
                assertThatThrownBy(() -> state.learner().update(0, 7, 1, 50))
                        .isInstanceOf(NonFiniteException.class)
                        .hasMessageContaining("50");
                assertThat(Runs.parameters(state)).isEqualTo(before);
            }
        }
    }
}
