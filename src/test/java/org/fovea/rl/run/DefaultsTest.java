// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Set;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentSpec.TunedSettings;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.tasks.Tasks;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Default settings learn tasks that they don't know. {@code docs/results/defaults.sh} tries many more, for longer. */
@Tag("integration")
class DefaultsTest {
    @TempDir
    Path directory;

    /** An environment names settings as text, which nothing else checks. */
    @Test
    void settingsThatSuitAnEnvironmentAreThoseOfTheTrainer() {
        for (EnvironmentSpec environment : Environments.all()) {
            for (TunedSettings tuned : environment.tuned()) {
                Algorithm.of(tuned.algorithm());
                assertThat(tuned.policy()).isIn("", "attention", "mlp");
            }
            for (Algorithm algorithm : environment.tuned().isEmpty() ? new Algorithm[0] : Algorithm.values()) {
                for (PolicyKind policy : PolicyKind.values()) {
                    RunSpec run = Defaults.of(environment.name(), algorithm, policy);
                    assertThat(Defaults.fitMinibatches(run, Set.of())).isEqualTo(run);
                }
            }
        }
    }

    @Test
    void whatSuitsAPolicyWinsOverWhatSuitsAny() {
        RunSpec mlp = Defaults.of("CartPole-v1", Algorithm.PPO, PolicyKind.MLP);
        assertThat(mlp.steps()).isEqualTo(100_000);
        assertThat(mlp.environments()).isEqualTo(8);
        assertThat(mlp.config().asMap()).containsEntry("epochs", "20").containsEntry("learning_rate", "0.001");
        RunSpec attention = Defaults.of("CartPole-v1", Algorithm.PPO, PolicyKind.ATTENTION);
        assertThat(attention.steps()).isEqualTo(100_000);
        assertThat(attention.environments()).isEqualTo(64);
        assertThat(attention.config().asMap()).containsEntry("epochs", "4");
    }

    @ParameterizedTest
    @CsvSource({"MemoryChain-v0, 16", "MemoryChain-v0:length=15, 16", "MemoryChain-v0:length=16, 128"})
    void aMemberOfAFamilyHasSettingsOfItsOwn(String environment, int window) {
        RunSpec run = Defaults.of(environment, Algorithm.PPO, PolicyKind.ATTENTION);
        assertThat(run.config().network().window()).isEqualTo(window);
        assertThat(run.steps()).isEqualTo(330_000);
    }

    @BeforeAll
    static void register() {
        Tasks.register();
    }

    @ParameterizedTest
    @CsvSource({
        // Chance 3.3, optimum 20
        "ShownOffset1000, ppo, 60000, 17",
        "ShownRewards1e6, ppo, 60000, 17e6",
        "ShownOffset1000, trpo, 50000, 17",
        // The middle gives -2.5
        "ReachHundred, ppo, 200000, -0.5",
    })
    void sampledActionsScore(String environment, String algorithm, long steps, double wanted) {
        RunSpec spec = Defaults.of(environment, Algorithm.of(algorithm), PolicyKind.MLP)
                .withSteps(steps);
        try (Backend backend = Runs.cpu(2);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);
            assertThat(result.sampled().mean()).isGreaterThan(wanted);
        }
    }
}
