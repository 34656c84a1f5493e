// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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

    private static float[] encoded(String policy, Map<String, String> settings, int episodeStep) {
        PpoConfig config = PpoConfig.BASE.with(settings);
        ObservationEncoder encoder = new ObservationEncoder(SPACES, PolicyKind.of(policy), config.network());
        ObservationNormalizer normalizer = new ObservationNormalizer(false, Schema.of(SPACES.observations()));
        float[] target = new float[encoder.size()];
        // The second of two environments, which chose action 1.
        encoder.encode(
                new float[] {9, 9, 9, 9, 1, 2, 3, 4},
                1,
                normalizer,
                new int[] {0, 1},
                new float[0],
                episodeStep,
                target,
                0);
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
        Map<String, String> settings = Map.of("previous_action", previousAction);
        assertThat(encoded(policy, settings, 5)).containsExactly(numbers(later));
        assertThat(encoded(policy, settings, 0)).containsExactly(numbers(first));
    }

    @ParameterizedTest
    @CsvSource({"attention, 5", "mlp, 4", "gru, 5"})
    void theStepOfTheEpisodeIsShown(String policy, int before) {
        Map<String, String> settings = Map.of("previous_action", "hidden", "episode_step", "true");
        // Sines and cosines of the periods 4, 8, 16, ..., 1024.
        assertThat(encoded(policy, settings, 0)).hasSize(before + 18).endsWith(0, 1, 0, 1, 0, 1);
        float[] later = encoded(policy, settings, 3 + 5 * 1024);
        for (int i = 0; i < 9; i++) {
            double angle = 3 * 2 * Math.PI / (4 * Math.pow(2, i));
            assertThat(later[before + 2 * i]).isCloseTo((float) Math.sin(angle), within(1e-6f));
            assertThat(later[before + 2 * i + 1]).isCloseTo((float) Math.cos(angle), within(1e-6f));
        }
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
