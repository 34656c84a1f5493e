// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.onnxruntime.OrtException;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.env.Environments;
import org.fovea.env.Schema;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.policy.StepwiseAgent;
import org.fovea.rl.rollout.RandomStreams;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whole episodes in ONNX Runtime beside Fovea, of every kind of policy: the same actions, and the same of all else to 1e-4. Seven
 * environments, some of whose episodes are cut where those of others go on.
 */
@Tag("integration")
class OnnxEpisodeTest {
    private static final int COUNT = 7;
    private static final int STEPS = 70;
    private static final int SEGMENT = 13;
    private static final double TOLERANCE = 1e-4;

    @BeforeAll
    static void register() {
        MixedEnvironment.register();
        NearestEntity.register();
    }

    static Stream<RunSpec> policies() {
        return PolicyCases.all();
    }

    @ParameterizedTest
    @MethodSource("policies")
    void actsAsFoveaDoes(RunSpec spec) throws OrtException {
        try (Backend backend = Runs.cpu(1);
                OpenRun run = OpenRun.start(backend, spec)) {
            SavedPolicy policy = PolicyCases.disturbed(run, spec);
            for (int opset : new int[] {17, 23, 24}) {
                play(run.agent, spec, PolicyModel.of(policy, opset));
            }
        }
    }

    private static void play(Agent agent, RunSpec spec, PolicyModel model) throws OrtException {
        int[] choicesOfAction = Schema.of(agent.spaces().actions()).choices();
        try (VectorEnvironment environment =
                        Environments.get(spec.environment()).create(COUNT);
                OnnxSession onnx = new OnnxSession(model.bytes(), COUNT);
                StepwiseAgent fovea = new StepwiseAgent(agent, COUNT, SEGMENT);
                ActorCritic.Context context = agent.network().context(COUNT, SEGMENT, 0);
                PolicyRunner runner =
                        new PolicyRunner(agent, context, 0, COUNT, null, 1, 3, RandomStreams.EACH_STEP, false)) {
            PolicyRows rows = runner.rows(0, COUNT);
            float[] observations =
                    new float[COUNT * environment.observationSpace().size()];
            boolean[] allowed = environment.newActionMasks();
            boolean[] starts = new boolean[COUNT];
            int[] episodeSteps = new int[COUNT];
            StepBatch result =
                    StepBatch.allocate(COUNT, environment.observationSpace().size());
            environment.reset(5, 0, observations);
            Arrays.fill(starts, true);
            for (int step = 0; step < STEPS; step++) {
                if (allowed.length > 0) {
                    environment.actionMasks(allowed);
                }
                StepwiseAgent.Acted expected = fovea.act(observations, allowed, starts);
                Map<String, Object> actual = onnx.act(observations, allowed, starts);
                compare(agent, choicesOfAction, expected, actual, "step " + step);
                onnx.acted(choicesOfAction.length > 0 ? numbered(agent, expected.choices()) : expected.drawn());

                // What acts in evaluations.
                if (step % SEGMENT == 0) {
                    if (step > 0) {
                        runner.endSegment();
                        context.advance();
                    }
                    runner.beginSegment(episodeSteps, RandomStreams.actions(step));
                    rows.show(observations, allowed);
                } else {
                    rows.show(observations, result, allowed);
                }
                rows.chooseBest();
                assertThat(runner.choices()).isEqualTo(expected.choices());
                assertThat(runner.boundedValues()).isEqualTo(expected.bounded());

                environment.step(expected.choices(), expected.bounded(), result);
                System.arraycopy(result.observations(), 0, observations, 0, observations.length);
                for (int i = 0; i < COUNT; i++) {
                    starts[i] = result.terminated()[i] || result.truncated()[i];
                    if (!starts[i] && i % 2 == 1 && (step + 5 * i) % 17 == 0) {
                        environment.restart(i, observations);
                        result.truncated()[i] = true;
                        starts[i] = true;
                    }
                    episodeSteps[i] = starts[i] ? 0 : episodeSteps[i] + 1;
                }
            }
        }
    }

    private static void compare(
            Agent agent, int[] choices, StepwiseAgent.Acted expected, Map<String, Object> actual, String where) {
        assertClose(expected.values(), (float[]) actual.get("value"), where + " value");
        if (choices.length == 0) {
            assertClose(expected.outputs(), (float[]) actual.get("mean"), where + " mean");
            float[] bounded = (float[]) actual.get("action");
            for (int i = 0; i < bounded.length; i++) {
                assertThat((double) bounded[i])
                        .as("%s action %d", where, i)
                        .isCloseTo(expected.bounded()[i], within(TOLERANCE * (1 + Math.abs(expected.bounded()[i]))));
            }
            return;
        }
        int most = Arrays.stream(choices).max().orElseThrow();
        int all = Arrays.stream(choices).sum();
        float[] logits = (float[]) actual.get("logits");
        long[] actions = (long[]) actual.get("action");
        long[] taken = numbered(agent, expected.choices());
        for (int row = 0; row < COUNT; row++) {
            int at = row * all;
            for (int part = 0; part < choices.length; part++) {
                int from = (row * choices.length + part) * most;
                double[] mine = Arrays.copyOfRange(expected.outputs(), from, from + choices[part]);
                assertClose(mine, Arrays.copyOfRange(logits, at, at + choices[part]), where + " logits");
                int i = row * choices.length + part;
                if (actions[i] != taken[i]) {
                    // Both are right only where both are as good.
                    int start = Schema.of(agent.spaces().actions()).starts()[part];
                    assertThat(mine[(int) actions[i] - start])
                            .as("%s action of %d, part %d", where, row, part)
                            .isCloseTo(mine[(int) taken[i] - start], within(1e-5));
                }
                at += choices[part];
            }
        }
    }

    private static void assertClose(double[] expected, float[] actual, String what) {
        assertThat(actual).as(what).hasSize(expected.length);
        for (int i = 0; i < actual.length; i++) {
            if (expected[i] < -1e29) {
                assertThat(actual[i]).as("%s %d", what, i).isLessThan(-1e29f);
            } else {
                assertThat((double) actual[i]).as("%s %d", what, i).isCloseTo(expected[i], within(TOLERANCE));
            }
        }
    }

    /** Choices as the environment numbers them. */
    private static long[] numbered(Agent agent, int[] choices) {
        int[] starts = Schema.of(agent.spaces().actions()).starts();
        long[] numbers = new long[choices.length];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = choices[i] + (long) starts[i % starts.length];
        }
        return numbers;
    }
}
