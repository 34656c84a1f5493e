// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.Space;
import org.fovea.rl.config.ActionLimit;
import org.fovea.rl.rollout.Rollout;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.Progress;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.TrainResult;
import org.fovea.rl.run.Trainer;
import org.fovea.rl.tasks.Tasks;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Actions as a policy draws them, and as environments are given them. */
class ActionBoundsTest {
    private static final float INFINITY = Float.POSITIVE_INFINITY;

    @TempDir
    Path directory;

    @BeforeAll
    static void register() {
        Tasks.register();
    }

    private static float[] apply(Space.Box box, float... drawn) {
        float[] bounded = new float[drawn.length];
        new ActionBounds(box, ActionLimit.CLIP).apply(drawn, bounded, 0, drawn.length);
        return bounded;
    }

    @Test
    void minusOneToOneIsTheRangeOfEachElement() {
        Space.Box box = new Space.Box(new float[] {0, -100, -3}, new float[] {1, 100, 5});
        assertThat(apply(box, -1, -1, -1)).containsExactly(0, -100, -3);
        assertThat(apply(box, 0, 0, 0)).containsExactly(0.5f, 0, 1);
        assertThat(apply(box, 0.5f, 0.5f, 0.5f, 1, 1, 1)).containsExactly(0.75f, 50, 3, 1, 100, 5);
    }

    @Test
    void whatIsOutsideIsClipped() {
        assertThat(apply(new Space.Box(1, 0, 1), -7, 1.0001f, 40)).containsExactly(0, 1, 1);
    }

    @Test
    void theTangentGoesFromBoundToBound() {
        Space.Box box = new Space.Box(new float[] {-100, 0, -INFINITY, 0}, new float[] {100, 1, INFINITY, INFINITY});
        float[] actions = new float[8];
        new ActionBounds(box, ActionLimit.TANH).apply(new float[] {0.5f, 30, 7, -7, -30, -0.25f, -7, 7}, actions, 0, 8);
        float[] expected = {46.211716f, 1, 7, 0, -100, 0.37754068f, -7, 7};
        assertThat(actions).containsExactly(expected, offset(1e-6f));
    }

    @Test
    void anElementWithoutBoundsIsAsItWasDrawn() {
        assertThat(apply(new Space.Box(1, -INFINITY, INFINITY), -7, 0.25f)).containsExactly(-7, 0.25f);
        assertThat(apply(new Space.Box(1, -Float.MAX_VALUE, Float.MAX_VALUE), -7, 0.25f))
                .containsExactly(-7, 0.25f);
        assertThat(apply(new Space.Box(new float[] {0, -INFINITY}, new float[] {INFINITY, 2}), -7, -7, 7, 7))
                .containsExactly(0, -7, 7, 2);
    }

    @Test
    void boundsThatFloatsCanNotHalveAreKept() {
        float large = 3e38f;
        assertThat(apply(new Space.Box(1, -large, large), 1, -1, 0, 0.5f)).containsExactly(large, -large, 0, 1.5e38f);
        assertThat(apply(new Space.Box(1, 2, 2), -3, 0, 3)).containsExactly(2, 2, 2);
        // (low + high) / 2 + (high - low) / 2 isn't high in floats.
        float low = -0.1f;
        float high = 16777217.3f;
        assertThat(apply(new Space.Box(1, low, high), -1, 1)).containsExactly(low, high);
    }

    /** The environment throws where an action is out of its bounds. */
    @ParameterizedTest
    @CsvSource({"ReachUnit, ppo, mlp", "ReachBoth, trpo, mlp", "ReachBoth, ppo, attention"})
    void environmentsAreGivenNumbersWithinBoundsAndThePolicyLearnsFromWhatItDrew(
            String environment, String algorithm, String policy) {
        RunSpec spec = Runs.small(environment, Algorithm.of(algorithm), PolicyKind.of(policy), 2, Map.of());
        try (Backend backend = Runs.cpu(1);
                Trainer trainer = Trainer.start(backend, spec, directory)) {
            TrainResult result = trainer.run(Progress.Listener.NONE, () -> false);

            Rollout rollout = OpenRun.of(trainer).rollout;
            float[] drawn = new float[rollout.rows() * rollout.actionSize()];
            backend.memory().download(rollout.actions(), drawn, 0);
            Arrays.sort(drawn);
            assertThat(drawn[0]).as("unclipped").isLessThan(-1);
            assertThat(drawn[drawn.length - 1]).as("unclipped").isGreaterThan(1);
            assertThat(result.evaluation().mean()).isBetween(-5.0, 0.0);
            assertThat(result.sampled().mean()).isBetween(-5.0, 0.0);
        }
    }
}
