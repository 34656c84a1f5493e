// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.rl.learner.UpdateStatistics;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.NonFiniteException;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Updates of PPO as captured steps. */
@Tag("integration")
class CapturedUpdateTest {

    private static RunSpec spec(String policy, int epochs, int minibatches) {
        Map<String, String> settings = Map.of(
                "epochs", "" + epochs,
                "minibatches", "" + minibatches,
                "rollout_steps", "5",
                "width", "8",
                "heads", "2",
                "layers", "1",
                "window", "3");
        return Runs.small("CartPole-v1", PolicyKind.of(policy), 40, settings)
                .withEnvironments(5)
                .withSeed(3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"mlp", "attention"})
    void onAGpuATrainingStepIsOneGraphLaunch(String policy) {
        Simulator.assumeSimulated();
        int kernelsOfSixSteps;
        try (Backend backend = Simulator.open();
                OpenRun run = OpenRun.start(backend, spec(policy, 2, 3))) {
            run.iterate(0);
            run.collect();
            assertThat(calls("cuGraphLaunch", run)).isEqualTo(6);
            assertThat(calls("cuGraphInstantiateWithFlags", run)).isZero();
            assertThat(calls("cuMemAlloc_v2", run)).isZero();
            kernelsOfSixSteps = calls("cuLaunchKernel", run);
        }
        try (Backend backend = Simulator.open();
                OpenRun run = OpenRun.start(backend, spec(policy, 1, 1))) {
            run.iterate(0);
            run.collect();
            assertThat(kernelsOfSixSteps)
                    .as("kernels launched besides the steps, whatever their number")
                    .isEqualTo(calls("cuLaunchKernel", run));
        }
    }

    private static int calls(String function, OpenRun run) {
        return Simulator.calls(function, () -> run.learner.update(0, 7, 1, 1));
    }

    @ParameterizedTest
    @ValueSource(strings = {"mlp", "attention"})
    void minibatchesOfUnevenSizeAreLearnedFromOnAGpuAsOnTheCpu(String policy) {
        // 25 or 5 units in 3 minibatches.
        UpdateStatistics[] seen = new UpdateStatistics[2];
        float[][] parameters = new float[2][];
        for (int device = 0; device < 2; device++) {
            try (Backend backend = device == 0 ? Runs.cpu(1) : Simulator.open();
                    OpenRun run = OpenRun.start(backend, spec(policy, 2, 3))) {
                seen[device] = run.iterate(0);
                parameters[device] = run.parameters();
            }
        }
        // Six steps move a parameter by up to 6e-3. Adam magnifies rounding where a gradient is small, but not to a
        // tenth
        // of a step.
        assertThat(seen[1].loss().entropy()).isCloseTo(seen[0].loss().entropy(), within(1e-4));
        assertThat(parameters[1]).containsExactly(parameters[0], within(1e-4f));
    }

    @Test
    void aLossThatIsNotFiniteLeavesTheParametersAsTheyWere() {
        for (boolean gpu : new boolean[] {false, true}) {
            try (Backend backend = gpu ? Simulator.open() : Runs.cpu(2);
                    OpenRun run = OpenRun.start(backend, spec("mlp", 3, 2))) {
                run.iterate(0);
                float[] before = run.parameters();
                run.collect();
                backend.memory().fill(run.rollout.rewards().slice(7, 1), Double.NaN);
                assertThatThrownBy(() -> run.learner.update(0, 7, 1, 50))
                        .isInstanceOf(NonFiniteException.class)
                        .hasMessageContaining("50");
                assertThat(run.parameters()).isEqualTo(before);
            }
        }
    }
}
