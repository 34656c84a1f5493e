// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DeviceArray;
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
import org.junit.jupiter.params.provider.ValueSource;

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

    private static RunSpec spec(String environment, String policy) {
        return Defaults.of(environment, Algorithm.PPO, PolicyKind.of(policy))
                .with(Map.of(
                        "minibatches", "1", "rollout_steps", "" + STEPS, "layers", "1", "width", "8", "heads", "2"))
                .with(Map.of("window", "4", "burn_in", policy.equals("mlp") ? "0" : "2", "normalize_rewards", "true"))
                .withEnvironments(3);
    }

    /** What the driver is asked for in the second rollout. */
    private List<String> calls(String environment, String policy, EnvironmentPlace place) throws IOException {
        PlaySettings play = new PlaySettings(0, PlaySettings.Overlap.OFF, place);
        try (Backend backend = Simulator.open();
                OpenRun run = OpenRun.start(backend, spec(environment, policy), play)) {
            for (int iteration = 0; iteration < 2; iteration++) {
                run.collect();
                run.advance();
            }
            // Memory that is given back is filled, in tests, with NaN: byte by byte, unlike what else is filled.
            return Simulator.trace(directory.resolve("calls"), run::collect).stream()
                    .map(call -> call.split(" ")[0].replaceAll("_v2$", ""))
                    .filter(name -> !name.startsWith("cuMemsetD8"))
                    .toList();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, attention",
        "CartPole-v1, gru",
        "CartPole-v1, mlp",
        "Dispatch-v0, attention",
        "Pendulum-v1, mlp"
    })
    void aStepInJavaIsOneUploadOneGraphOneDownloadAndOneWait(String environment, String policy) throws IOException {
        List<String> calls = calls(environment, policy, EnvironmentPlace.HOST);
        Map<String, Integer> counts = new TreeMap<>();
        for (String call : calls.subList(calls.indexOf("cuGraphLaunch"), calls.lastIndexOf("cuGraphLaunch"))) {
            counts.merge(call, 1, Integer::sum);
        }
        int between = STEPS - 1;
        assertThat(counts)
                .isEqualTo(Map.of(
                        "cuGraphLaunch", between,
                        "cuMemcpyDtoHAsync", between,
                        "cuStreamSynchronize", between,
                        "cuMemcpyHtoDAsync", between));
    }

    /** All steps, the memory before and the values after them; then rewards and ends come down, to keep score. */
    @ParameterizedTest
    @CsvSource({"CartPole-v1, attention", "CartPole-v1, gru", "Pendulum-v1, mlp"})
    void aSegmentOnTheDeviceIsOneGraph(String environment, String policy) throws IOException {
        List<String> calls = calls(environment, policy, EnvironmentPlace.DEVICE);
        assertThat(calls).doesNotContain("cuLaunchKernel");
        assertThat(calls.stream().filter("cuGraphLaunch"::equals)).hasSize(1);
        assertThat(calls.stream().filter("cuStreamSynchronize"::equals)).hasSizeLessThanOrEqualTo(5);
    }

    /** Values of what followed each step, log-probabilities and inputs of the seventh rollout, in which episodes are cut after 40 steps. */
    private static List<float[]> played(String policy, BackendSettings.Graph graph, EnvironmentPlace place) {
        BackendSettings settings =
                BackendSettings.DEFAULT.with(Map.of("graph", graph.name().toLowerCase(Locale.ROOT)));
        PlaySettings play = new PlaySettings(0, PlaySettings.Overlap.OFF, place);
        try (Backend backend = Simulator.open(settings);
                OpenRun run = OpenRun.start(backend, spec("EntityGrid-v0", policy), play)) {
            for (int iteration = 0; iteration < 6; iteration++) {
                run.collect();
                run.advance();
            }
            run.collect();
            List<float[]> arrays = new ArrayList<>();
            for (DeviceArray array : List.of(
                    run.rollout.nextValues(), run.rollout.logProbs(), run.rollout.observations(), run.rollout.done())) {
                float[] numbers = new float[(int) array.length()];
                backend.memory().download(array, numbers, 0);
                arrays.add(numbers);
            }
            return arrays;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"attention", "gru"})
    void graphsAndPlacesMakeNoDifference(String policy) {
        List<float[]> expected = played(policy, BackendSettings.Graph.OFF, EnvironmentPlace.HOST);
        int cut = 0;
        for (int i = 0; i < expected.get(0).length; i++) {
            cut += expected.get(3)[i] == 1 && expected.get(0)[i] != 0 ? 1 : 0;
        }
        assertThat(cut).as("episodes that were cut").isPositive();
        assertThat(played(policy, BackendSettings.Graph.ON, EnvironmentPlace.HOST))
                .containsExactlyElementsOf(expected);
        assertThat(played(policy, BackendSettings.Graph.ON, EnvironmentPlace.DEVICE))
                .containsExactlyElementsOf(expected);
        assertThat(played(policy, BackendSettings.Graph.OFF, EnvironmentPlace.DEVICE))
                .containsExactlyElementsOf(expected);
    }
}
