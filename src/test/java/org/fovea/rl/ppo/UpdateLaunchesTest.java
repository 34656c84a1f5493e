// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a GPU is given to do for one minibatch: every launch costs some microseconds, whatever it does. */
@Tag("integration")
class UpdateLaunchesTest {
    @TempDir
    private Path directory;

    @BeforeEach
    void onTheSimulator() {
        Simulator.assumeSimulated();
    }

    @Test
    void ofAttention() throws IOException {
        Map<String, Integer> launches = launches(PolicyKind.ATTENTION);
        assertThat(launches)
                .isEqualTo(Map.ofEntries(
                        // the embedding, three layers in each of two blocks, two heads
                        Map.entry("gemm_tall_f32", 9),
                        Map.entry("linear_backward_tall", 9),
                        // queries, keys and values of a block
                        Map.entry("linear_layers_tall", 2),
                        Map.entry("linear_layers_backward_tall", 2),
                        Map.entry("attention_forward_whole_f32_d16_m32", 2),
                        Map.entry("attention_backward_whole_f32_d16_m32", 2),
                        Map.entry("layer_norm", 5),
                        Map.entry("layer_norm_backward", 5),
                        // queries and keys of a block, and back
                        Map.entry("rotary", 4),
                        // per block: memory and input put together, the queries' part of that, and back
                        Map.entry("arrange_vectors", 8),
                        Map.entry("zip_rows", 2),
                        // rows of the rollout, the memory, advantages
                        Map.entry("gather_rows", 1),
                        Map.entry("gather_vectors", 2),
                        Map.entry("standardize_moments", 1),
                        Map.entry("standardize", 1),
                        Map.entry("ppo_categorical", 1),
                        Map.entry("adam_norm", 1),
                        Map.entry("adam_update", 1)));
        assertThat(sum(launches)).isLessThanOrEqualTo(70);
    }

    @Test
    void ofAnMlp() throws IOException {
        Map<String, Integer> launches = launches(PolicyKind.MLP);
        assertThat(launches)
                .isEqualTo(Map.of(
                        // two layers and a head for the policy, and for the value
                        "gemm_tall_f32", 6,
                        "linear_backward_tall", 6,
                        "gather_rows", 2,
                        "standardize_moments", 1,
                        "standardize", 1,
                        "ppo_categorical", 1,
                        "adam_norm", 1,
                        "adam_update", 1));
        assertThat(sum(launches)).isLessThanOrEqualTo(20);
    }

    private static int sum(Map<String, Integer> launches) {
        return launches.values().stream().mapToInt(count -> count).sum();
    }

    /** Kernels, fills and copies of one captured minibatch, by name. */
    private Map<String, Integer> launches(PolicyKind policy) throws IOException {
        RunSpec spec = Defaults.of("CartPole-v1", Algorithm.PPO, policy)
                .with(Map.of("epochs", "1", "minibatches", "1", "rollout_steps", "32", "window", "16"))
                .with(Map.of("width", "32", "heads", "2", "layers", "2"))
                .withEnvironments(4);
        spec = spec.withSteps(spec.stepsPerIteration());
        try (Backend backend = Simulator.open();
                OpenRun run = OpenRun.start(backend, spec)) {
            run.collect();
            List<String> calls = Simulator.trace(directory.resolve("calls"), () -> run.learner.update(0, 7, 0, 0));
            int from = 0;
            while (!calls.get(from).startsWith("cuStreamBeginCapture")) {
                from++;
            }
            int to = from;
            while (!calls.get(to).startsWith("cuStreamEndCapture")) {
                to++;
            }
            Map<String, Integer> counts = new TreeMap<>();
            for (String call : calls.subList(from + 1, to)) {
                String[] words = call.split(" ");
                // Memory that is given back is filled, in tests, with NaN: byte by byte, unlike what else is filled.
                if (!words[0].startsWith("cuMemAlloc") && !words[0].startsWith("cuMemsetD8")) {
                    counts.merge(words[0].equals("cuLaunchKernel") ? words[1] : words[0], 1, Integer::sum);
                }
            }
            return counts;
        }
    }
}
