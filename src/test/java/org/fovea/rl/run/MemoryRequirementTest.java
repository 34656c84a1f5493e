// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a run is said to need is what its backend has reserved after an update; the rest of it is on the heap beside that. */
@Tag("integration")
class MemoryRequirementTest {
    @ParameterizedTest
    @CsvSource({
        "mlp, 64, 1, 2, 64, 16",
        "mlp, 256, 2, 2, 64, 16",
        "mlp, 256, 2, 4, 128, 16",
        "attention, 64, 1, 2, 64, 16",
        "attention, 64, 2, 2, 64, 16",
        "attention, 128, 2, 3, 64, 16",
        "attention, 128, 2, 2, 32, 64"
    })
    void isWhatIsUsed(String policy, int environments, int threads, int layers, int width, int window) {
        RunSpec spec = Defaults.of("ProofOfMemory-v0", Algorithm.PPO, PolicyKind.of(policy))
                .withEnvironments(environments)
                .with(Map.of("layers", "" + layers, "width", "" + width, "epochs", "1"));
        if (policy.equals("attention")) {
            spec = spec.with(Map.of("window", "" + window));
        }
        assertIsWhatIsUsed(spec, threads);
    }

    private static void assertIsWhatIsUsed(RunSpec run, int threads) {
        RunSpec spec = run.withSteps(run.stepsPerIteration());
        try (Backend backend = Runs.cpu(threads);
                OpenRun open = OpenRun.start(backend, spec)) {
            MemoryRequirement said = MemoryRequirement.of(
                    backend, spec, Environments.get(spec.environment()).spaces());
            open.iterate(0);

            double used = backend.memory().reservedBytes();
            assertThat(said.memory() + said.network() + said.rollouts()).isCloseTo(used, withinPercentage(20));
        }
    }

    @BeforeAll
    static void register() {
        NearestEntity.register();
    }

    /** Encoders of entities and pictures, choices of entities, gated units, and a burn-in. */
    @ParameterizedTest
    @CsvSource({
        "NearestEntityAndCount-v0, mlp, 128, 0",
        "EntityGrid-v0, mlp, 16, 0",
        "EntityGrid-v0, attention, 8, 0",
        "Catch-v0, mlp, 128, 0",
        "'Catch-v0:rows=40,columns=40', mlp, 16, 0",
        "popgym-RepeatPreviousEasy-v0, gru, 64, 0",
        "popgym-RepeatPreviousEasy-v0, attention, 32, 60",
    })
    void isWhatIsUsedByEncodersAndMemories(String environment, String policy, int environments, int burnIn) {
        RunSpec spec = Defaults.of(environment, Algorithm.PPO, PolicyKind.of(policy))
                .withEnvironments(environments)
                .with(Map.of("epochs", "1", "rollout_steps", "64", "window", "64", "burn_in", "" + burnIn));
        assertIsWhatIsUsed(spec, 1);
    }
}
