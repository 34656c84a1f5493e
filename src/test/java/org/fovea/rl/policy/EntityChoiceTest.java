// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.backend.rl.StepClock;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.nn.SetEncoder;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.GradientCheck;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Policies that choose one of the entities. */
@Tag("integration")
class EntityChoiceTest {
    private static final int MOST = NearestEntity.MOST;

    @BeforeAll
    static void register() {
        NearestEntity.register();
    }

    /** Acting and learning see the same network, whatever it is made of. */
    @ParameterizedTest
    @CsvSource({
        "NearestEntity-v0, mlp",
        "NearestEntity-v0, attention",
        "NearestEntity-v0, gru",
        "NearestEntityAndCount-v0, mlp",
        "NearestEntityAndCount-v0, attention",
        "NearestEntityAndCount-v0, gru"
    })
    void firstRatiosAreOne(String environment, String policy) {
        Map<String, String> settings = Map.of("epochs", "1", "minibatches", "1", "learning_rate", "0.003");
        RunSpec spec = Runs.small(environment, PolicyKind.of(policy), 4, settings);
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, spec)) {
            for (int iteration = 0; iteration < 4; iteration++) {
                assertThat(run.iterate(iteration).loss().maxRatioDeviation())
                        .as("iteration %d", iteration)
                        .isLessThan(1e-4f);
            }
        }
    }

    /** At best 9; of what there is to choose, chance gives 3.7. The best are found slowly: a number must be compared with each. */
    @ParameterizedTest
    @CsvSource({"PPO, mlp, 30", "PPO, attention, 40", "TRPO, mlp, 30"})
    void theNearestIsFound(Algorithm algorithm, String policy, int iterations) {
        Map<String, String> settings = new HashMap<>(Map.of("rollout_steps", "27", "width", "32"));
        if (algorithm == Algorithm.TRPO) {
            // Rough steps, that are long and cost a third.
            settings.putAll(Map.of("max_kl", "0.05", "cg_iterations", "3", "value_epochs", "3"));
        }
        RunSpec spec = Runs.small(NearestEntity.ALONE, algorithm, PolicyKind.of(policy), iterations, settings);
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, spec)) {
            for (int iteration = 0; iteration < iterations; iteration++) {
                run.iterate(iteration);
            }
            assertThat(run.episodes.statistics().meanReturn()).isGreaterThan(5);
        }
    }

    private static Agent agent(Backend backend, String environment, PolicyKind kind, NetworkConfig config) {
        EnvironmentSpec.Spaces spaces = Environments.get(environment).spaces();
        Agent agent = Agent.create(backend, spaces, kind, config, false, false, 5);
        double[] values = new double[(int) agent.parameters().length()];
        backend.memory().download(agent.parameters().values(), values, 0);
        Random random = new Random(9);
        for (int i = 0; i < values.length; i++) {
            values[i] += 0.3 * random.nextGaussian();
        }
        backend.memory().upload(values, 0, agent.parameters().values());
        return agent;
    }

    private static double[] acted(Agent agent, double[] step) {
        try (ActorCritic.Context context = agent.network().context(1, 4, 0);
                Tape tape = Tape.inference(agent.backend())) {
            ActorCritic.Actor actor = context.actor(0, 1);
            actor.mark(new int[1]);
            actor.beginSegment();
            DeviceArray positions = tape.allocate(DType.I32, 1);
            DeviceArray ages = tape.allocate(DType.I32, 1);
            agent.backend().memory().fill(positions, context.origin());
            agent.backend().memory().fill(ages, 1);
            StepClock clock = new StepClock(positions, ages, ages, ages, ages);
            return actor.act(tape.constant(step, 1, step.length), clock, 0, 1)
                    .policy()
                    .toDoubles();
        }
    }

    /** Entities in another order have the same logits in that order; what is behind their number makes no difference. */
    @ParameterizedTest
    @EnumSource(PolicyKind.class)
    void anotherOrderIsAnotherOrderOfProbabilities(PolicyKind kind) {
        NetworkConfig config = NetworkConfig.BASE;
        try (Backend backend = new ReferenceBackend();
                Agent agent = agent(backend, NearestEntity.ALONE, kind, config)) {
            int there = 4;
            double[] step = new double[agent.encoder().size()];
            Random random = new Random(3);
            for (int i = 0; i < 1 + 2 * there; i++) {
                step[i] = random.nextGaussian();
            }
            step[1 + 2 * MOST] = there;
            double[] logits = acted(agent, step);
            assertThat(logits).hasSize(MOST);
            for (int i = there; i < MOST; i++) {
                assertThat(logits[i]).isLessThan(-9e29);
            }
            assertThat(Math.abs(logits[0] - logits[1])).isGreaterThan(1e-3);

            int[] order = {2, 0, 3, 1};
            double[] other = step.clone();
            for (int i = 0; i < there; i++) {
                System.arraycopy(step, 1 + 2 * order[i], other, 1 + 2 * i, 2);
            }
            other[1 + 2 * there] = 17;
            double[] permuted = acted(agent, other);
            for (int i = 0; i < there; i++) {
                assertThat(permuted[i]).as("entity %d", i).isCloseTo(logits[order[i]], offset(1e-10));
            }
        }
    }

    /** Each logit is the product of query and entity over the root of their length; other choices are as they came. */
    @Test
    void logitsAreScaledProducts() {
        int width = 3;
        EnvironmentSpec.Spaces spaces = Environments.get(NearestEntity.BESIDE).spaces();
        PolicyOutputs outputs = new PolicyOutputs(spaces, 2 * 8, width);
        assertThat(outputs.inputs()).isEqualTo(width + 8);
        double[] numbers = new Random(1).doubles(2L * (width + 8)).toArray();
        double[] things = new Random(2).doubles(2L * MOST * width).toArray();
        double[] hidden = new double[2 * MOST];
        hidden[3] = -1e30;
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.inference(backend)) {
            double[] logits = outputs.apply(
                            tape.constant(numbers, 2, width + 8), step(tape.constant(things, 2, MOST, width), hidden))
                    .toDoubles();
            for (int row = 0; row < 2; row++) {
                for (int i = 0; i < MOST; i++) {
                    double product = hidden[row * MOST + i];
                    for (int j = 0; j < width; j++) {
                        product += numbers[row * (width + 8) + j] * things[(row * MOST + i) * width + j] / Math.sqrt(3);
                    }
                    assertThat(logits[row * 16 + i]).isCloseTo(product, offset(1e-12));
                }
                for (int i = 0; i < 8; i++) {
                    assertThat(logits[row * 16 + 8 + i]).isEqualTo(numbers[row * (width + 8) + width + i]);
                }
            }
        }
    }

    @Test
    void gradientsAreThoseOfTheFormulaToSecondOrder() {
        PolicyOutputs outputs =
                new PolicyOutputs(Environments.get(NearestEntity.BESIDE).spaces(), 2 * 8, 3);
        GradientCheck.of(x -> outputs.apply(x.get(0), step(x.get(1), new double[2 * MOST])))
                .at(2, 3 + 8)
                .at(2, MOST, 3)
                .holdsToOrder(2);
    }

    private static StepFeatures.Encoded step(Tensor things, double[] hidden) {
        Tensor absent = things.tape().constant(hidden, 2, MOST);
        return new StepFeatures.Encoded(
                things, things, Map.of("things", new SetEncoder.Encoded(things, absent, things)));
    }

    /** Entities alone, of which there are as many as the seed says, or as a number that is none. */
    private record Given(float count, Space actions, boolean masksActions) implements Environment {
        @Override
        public Space observationSpace() {
            return new Space.Entities(3, 1);
        }

        @Override
        public Space actionSpace() {
            return actions;
        }

        @Override
        public float[] reset(long seed) {
            return new float[] {1, 2, 3, count};
        }

        @Override
        public Step step(Action action) {
            return Step.of(reset(0), 0);
        }

        @Override
        public boolean[] actionMask() {
            return masksActions ? new boolean[] {false, false, true} : null;
        }
    }

    private static void reset(float count, Space actions, boolean masked) {
        var batch = EnvironmentSpec.of("Given-v0", "", () -> new Given(count, actions, masked))
                .create(1);
        batch.reset(1, 0, new float[4]);
    }

    @Test
    void whatCannotBeChosenIsNamed() {
        Space choice = new Space.EntityChoice("", 3);
        reset(1, choice, false);
        reset(3, choice, true);
        assertThatThrownBy(() -> reset(0, choice, false))
                .hasMessageContaining("Given-v0: environment 0, episode 0, step 0: there is no entity to choose");
        assertThatThrownBy(() -> reset(2, choice, true))
                .hasMessageContaining("the action mask allows none of the 3 choices");
        for (float count : List.of(1.5f, -1f, 4f)) {
            assertThatThrownBy(() -> reset(count, new Space.Discrete(3), false))
                    .hasMessageContaining("says how many entities there are: a whole number from 0 to 3");
        }
        for (Space wrong : List.of(new Space.EntityChoice("", 4), new Space.EntityChoice("hosts", 3))) {
            assertThatThrownBy(() -> reset(1, wrong, false))
                    .isInstanceOf(InvalidEnvironmentException.class)
                    .hasMessageContaining("has no Entities of up to");
        }
    }
}
