// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepInputs;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.ppo.PpoConfig;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a policy is shown of the step before. */
class StepEncoderTest {
    private static final EnvironmentSpec.Spaces SPACES =
            Environments.get("CartPole-v1").spaces();

    private static float[] encoded(String policy, Map<String, String> settings, int episodeStep) {
        NetworkConfig config = PpoConfig.BASE.with(settings).network();
        try (Backend backend = Runs.cpu(1);
                ObservationNormalizer normalizer =
                        new ObservationNormalizer(backend, false, Schema.of(SPACES.observations()))) {
            int[] ages = {1 + 3 * episodeStep, 1 + episodeStep};
            // The second of two environments, which chose action 1.
            float[] observations = {9, 9, 9, 9, 1, 2, 3, 4};
            float[] both = encode(
                    backend, SPACES, PolicyKind.of(policy), config, normalizer, observations, new int[] {0, 1}, ages);
            return Arrays.copyOfRange(both, both.length / 2, both.length);
        }
    }

    /** Encodes steps by what a policy has on a device. */
    static float[] encode(
            Backend backend,
            EnvironmentSpec.Spaces spaces,
            PolicyKind kind,
            NetworkConfig config,
            ObservationNormalizer normalizer,
            float[] observations,
            int[] actions,
            int[] ages) {
        try (Parameters parameters = new Parameters(backend, 1);
                StepEncoder encoder = new StepEncoder(
                        backend, spaces, kind, config, ActionDistribution.of(spaces, parameters), normalizer);
                Tape tape = Tape.inference(backend)) {
            int rows = ages.length;
            float[] tokens = new float[rows * encoder.size()];
            DeviceArray encoded = tape.allocate(DType.F32, tokens.length);
            encoder.encode(
                    new StepInputs(
                            rows,
                            tape.constant(observations, rows, observations.length / rows)
                                    .array(),
                            tape.constantInts(actions, rows, actions.length / rows)
                                    .array(),
                            tape.constantInts(ages, rows).array(),
                            0,
                            null),
                    encoded);
            backend.memory().download(encoded, tokens, 0);
            return tokens;
        }
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
