// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
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
        spec = spec.withSteps(spec.stepsPerIteration());
        try (Backend backend = Runs.cpu(threads);
                OpenRun run = OpenRun.start(backend, spec)) {
            MemoryRequirement said = MemoryRequirement.of(
                    backend, spec, Environments.get(spec.environment()).spaces());
            run.iterate(0);

            double used = backend.memory().reservedBytes();
            assertThat(said.memory() + said.network() + said.rollouts() / 2).isCloseTo(used, withinPercentage(20));
        }
    }
}
