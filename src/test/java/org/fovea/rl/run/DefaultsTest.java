package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.fovea.backend.Backend;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.tasks.Tasks;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Default settings learn tasks that they don't know. {@code docs/results/defaults.sh} tries many more, for longer. */
@Tag("integration")
class DefaultsTest {
    @TempDir
    Path directory;

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
