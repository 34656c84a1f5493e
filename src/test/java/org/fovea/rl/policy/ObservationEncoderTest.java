// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.rl.ppo.PpoConfig;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a policy is shown of the step before. */
class ObservationEncoderTest {
    private static final EnvironmentSpec.Spaces SPACES =
            Environments.get("CartPole-v1").spaces();

    private static float[] encoded(String policy, String previousAction, boolean start) {
        PpoConfig config = PpoConfig.BASE.with(Map.of("previous_action", previousAction));
        ObservationEncoder encoder = new ObservationEncoder(SPACES, PolicyKind.of(policy), config.network());
        ObservationNormalizer normalizer = new ObservationNormalizer(false, Schema.of(SPACES.observations()));
        float[] target = new float[encoder.size()];
        // The second of two environments, which chose action 1.
        encoder.encode(
                new float[] {9, 9, 9, 9, 1, 2, 3, 4}, 1, normalizer, new int[] {0, 1}, new float[0], start, target, 0);
        return target;
    }

    @ParameterizedTest
    @CsvSource({
        "attention, auto, 1 2 3 4 0 1 0, 1 2 3 4 0 0 1",
        "gru, hidden, 1 2 3 4 0, 1 2 3 4 1",
        "mlp, auto, 1 2 3 4, 1 2 3 4",
        "mlp, shown, 1 2 3 4 0 1, 1 2 3 4 0 0",
    })
    void thePreviousActionIsShownOrNot(String policy, String previousAction, String later, String first) {
        assertThat(encoded(policy, previousAction, false)).containsExactly(numbers(later));
        assertThat(encoded(policy, previousAction, true)).containsExactly(numbers(first));
    }

    private static float[] numbers(String text) {
        String[] words = text.split(" ");
        float[] numbers = new float[words.length];
        for (int i = 0; i < words.length; i++) {
            numbers[i] = Float.parseFloat(words[i]);
        }
        return numbers;
    }
}
