// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What crosses between host and GPU in a step of environments that play in Java. */
@Tag("integration")
class ActingLaunchesTest {
    private static final int STEPS = 6;

    @TempDir
    private Path directory;

    @BeforeEach
    void onTheSimulator() {
        Simulator.assumeSimulated();
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, attention",
        "CartPole-v1, gru",
        "CartPole-v1, mlp",
        "Dispatch-v0, attention",
        "Pendulum-v1, mlp"
    })
    void aStepIsOneUploadOneGraphOneDownloadAndOneWait(String environment, String policy) throws IOException {
        RunSpec spec = Defaults.of(environment, Algorithm.PPO, PolicyKind.of(policy))
                .with(Map.of(
                        "minibatches", "1", "rollout_steps", "" + STEPS, "layers", "1", "width", "8", "heads", "2"))
                .with(Map.of("window", "4", "burn_in", policy.equals("mlp") ? "0" : "2", "normalize_rewards", "true"))
                .withEnvironments(3);
        try (Backend backend = Simulator.open();
                OpenRun run = OpenRun.start(backend, spec)) {
            run.collect();
            run.advance();
            List<String> calls = Simulator.trace(directory.resolve("calls"), run::collect);
            Map<String, Integer> counts = new TreeMap<>();
            for (String call : calls.subList(firstLaunch(calls), lastLaunch(calls))) {
                String name = call.split(" ")[0];
                // Memory that is given back is filled, in tests, with NaN: byte by byte, unlike what else is filled.
                if (!name.startsWith("cuMemsetD8")) {
                    counts.merge(name.replaceAll("_v2$", ""), 1, Integer::sum);
                }
            }
            int between = STEPS - 1;
            assertThat(counts)
                    .isEqualTo(Map.of(
                            "cuGraphLaunch", between,
                            "cuMemcpyDtoHAsync", between,
                            "cuStreamSynchronize", between,
                            "cuMemcpyHtoDAsync", between));
        }
    }

    private static int firstLaunch(List<String> calls) {
        int at = 0;
        while (!calls.get(at).startsWith("cuGraphLaunch")) {
            at++;
        }
        return at;
    }

    private static int lastLaunch(List<String> calls) {
        int at = calls.size() - 1;
        while (!calls.get(at).startsWith("cuGraphLaunch")) {
            at--;
        }
        return at;
    }
}
