// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.rl.policy.PolicyKind;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RunSpecTest {
    private static final RunSpec SPEC = Defaults.of("CartPole-v1", Algorithm.PPO, PolicyKind.MLP);

    @Test
    void whatWasSavedIsRestored() {
        RunSpec spec = SPEC.withSeed(7).withSteps(999).with(Map.of("learning_rate_schedule", "cosine"));
        assertThat(RunSpec.restore(spec.save())).isEqualTo(spec);
    }

    /** Earlier versions said of the learning rate only whether it falls. */
    @ParameterizedTest
    @CsvSource({"true, linear", "false, constant"})
    void anEarlierVersionsAnnealingIsASchedule(String annealed, String schedule) {
        Map<String, String> saved = new LinkedHashMap<>(SPEC.save());
        String key = saved.keySet().stream()
                .filter(name -> name.endsWith("learning_rate_schedule"))
                .findFirst()
                .orElseThrow();
        saved.remove(key);
        saved.put(key.replace("learning_rate_schedule", "anneal_learning_rate"), annealed);
        assertThat(RunSpec.restore(saved)).isEqualTo(SPEC.with(Map.of("learning_rate_schedule", schedule)));
    }

    @Test
    void aBurnInIsShorterThanARolloutAndOfAMemory() {
        assertThatThrownBy(() -> SPEC.with(Map.of("burn_in", "8")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("hyper-parameter burn_in must be 0 with policy mlp, which has no memory, got 8");
        RunSpec gated = Defaults.of("CartPole-v1", Algorithm.TRPO, PolicyKind.GRU);
        assertThatThrownBy(() -> gated.with(Map.of("rollout_steps", "16", "burn_in", "16")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(
                        "hyper-parameter burn_in must be at least 0 and less than rollout_steps, which is 16, got 16");
        assertThat(gated.with(Map.of("rollout_steps", "16", "burn_in", "15"))
                        .config()
                        .rollout()
                        .burnIn())
                .isEqualTo(15);
    }
}
