// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepInputs;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.ppo.PpoConfig;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Tape;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a recurrent policy remembers of the step before. */
class RecurrentMemoryTest {
    private static final EnvironmentSpec.Spaces SPACES =
            Environments.get("CartPole-v1").spaces();

    /** The value of a second step, after the first showed {@code before}. */
    private static double valueAfter(Agent agent, float before) {
        Backend backend = agent.backend();
        try (ActorCritic.Context context = agent.network().context(1, 4, 0)) {
            ActorCritic.Actor actor = context.actor(0, 1);
            actor.mark(new int[1]);
            actor.beginSegment();
            double value = Double.NaN;
            for (int step = 0; step < 2; step++) {
                try (Tape tape = Tape.inference(backend)) {
                    DeviceArray ages =
                            tape.constantInts(new int[] {step + 1}, 1).array();
                    DeviceArray positions =
                            tape.constantInts(new int[] {step}, 1).array();
                    float[] seen = {step == 0 ? before : 0.5f, 0, 0, 0};
                    DeviceArray token = tape.allocate(DType.F32, agent.encoder().size());
                    DeviceArray action = tape.constantInts(new int[1], 1).array();
                    DeviceArray observation = tape.constant(seen, 1, 4).array();
                    agent.encoder().encode(new StepInputs(1, observation, action, ages, 0, null), token);
                    StepClock clock = new StepClock(positions, ages, ages, ages, ages);
                    value = actor.act(tape.constant(token, 1, (int) token.length()), clock, 0, 1)
                            .values()
                            .toDoubles()[0];
                }
            }
            return value;
        }
    }

    /** Also where more numbers follow the one that says that an episode starts. */
    @ParameterizedTest
    @ValueSource(strings = {"false", "true"})
    void theStepBeforeIsRemembered(String episodeStep) {
        NetworkConfig config =
                PpoConfig.BASE.with(Map.of("episode_step", episodeStep)).network();
        try (Backend backend = Runs.cpu(1);
                Agent agent = Agent.create(backend, SPACES, PolicyKind.GRU, config, false, false, 5)) {
            assertThat(Math.abs(valueAfter(agent, 1) - valueAfter(agent, -1))).isGreaterThan(1e-2);
        }
    }
}
