// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Map;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Remember which end of a line is good and walk there: left (0) or right (1) by 0.2.
 *
 * <p>Starts at -0.4, -0.2, 0, 0.2 or 0.4; one end is worth +1, the other -1. For the first two steps both are shown and
 * the agent stands still without reward; then they are hidden. A step costs 0.1; the step that reaches an end pays
 * instead 1.6 at the good one and -1.6 at the bad one and terminates. Truncated after 16 steps. Observation: worth of the
 * left end, position, worth of the right end.
 *
 * <p>Source: the proof-of-concept memory environment of Pleines et al., with the frozen start that CleanRL's
 * Transformer-XL example uses.
 */
final class ProofOfMemory extends BatchedEnvironment {
    static final EnvironmentSpec SPEC = EnvironmentSpec.ofBatches(
                    "ProofOfMemory-v0", "Remember which end of a line is good and walk there", ProofOfMemory::new)
            .withSolvedAt(1.15)
            .withReference("optimum", 1.20)
            .withReference("best without memory", -0.28)
            .withTuned("ppo", Map.of("steps", "25000", "envs", "16", "rollout_steps", "64", "window", "16"))
            .withTuned("trpo", Map.of("steps", "25000", "envs", "16", "rollout_steps", "64", "window", "16"))
            .withTuned("trpo", Map.of("max_kl", "0.02", "learning_rate", "0.003"));

    private static final int END = 5;
    private static final int FARTHEST_START = 2;
    private static final int SHOWN_STEPS = 2;
    private static final float STEP_COST = 0.1f;
    private static final float END_REWARD = 1.6f;
    private static final int SIZE = 3;

    /** In units of 0.2. */
    private final int[] position = newInts();

    private final int[] worthOfLeft = newInts();

    ProofOfMemory(int count) {
        super(count, new Space.Box(SIZE, -1, 1), new Space.Discrete(2), 16);
    }

    /** Of the kernel. */
    private record Constants(int end, int farthestStart, int shownSteps, float stepCost, float endReward) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm(
                "proof_of_memory", new Constants(END, FARTHEST_START, SHOWN_STEPS, STEP_COST, END_REWARD));
    }

    @Override
    protected void begin(int i, float[] observations) {
        position[i] = below(i, 2 * FARTHEST_START + 1) - FARTHEST_START;
        worthOfLeft[i] = below(i, 2) == 0 ? -1 : 1;
        observe(i, true, observations);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        float[] observations = result.observations();
        float[] rewards = result.rewards();
        boolean[] terminated = result.terminated();
        for (int i = 0; i < position.length; i++) {
            boolean frozen = elapsed[i] < SHOWN_STEPS;
            if (!frozen) {
                position[i] += choices[i] == 1 ? 1 : -1;
            }
            boolean atEnd = Math.abs(position[i]) == END;
            if (atEnd) {
                boolean good = position[i] < 0 == worthOfLeft[i] > 0;
                rewards[i] = good ? END_REWARD : -END_REWARD;
            } else {
                rewards[i] = frozen ? 0 : -STEP_COST;
            }
            terminated[i] = atEnd;
            // Hidden from the first decision that counts: shown there, the first step would remember it in the
            // position.
            observe(i, elapsed[i] + 1 < SHOWN_STEPS, observations);
        }
    }

    private void observe(int i, boolean shown, float[] observations) {
        observations[SIZE * i] = shown ? worthOfLeft[i] : 0;
        observations[SIZE * i + 1] = position[i] / (float) END;
        observations[SIZE * i + 2] = shown ? -worthOfLeft[i] : 0;
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(1, 2 * END + 1) {
            private boolean isShown() {
                return elapsed[i] < SHOWN_STEPS;
            }

            @Override
            Color colour(int row, int column) {
                if (column == position[i] + END) {
                    return AGENT;
                }
                boolean end = column == 0 || column == 2 * END;
                return end ? (column == 0) == worthOfLeft[i] > 0 ? GOOD : BAD : EMPTY;
            }

            @Override
            String label(int row, int column) {
                if (column == position[i] + END) {
                    return "@";
                }
                boolean end = column == 0 || column == 2 * END;
                return !end ? "" : !isShown() ? "?" : (column == 0) == worthOfLeft[i] > 0 ? "+" : "-";
            }

            @Override
            String caption() {
                return isShown()
                        ? "the agent sees which end is good, and cannot move"
                        : "the ends look alike to the agent";
            }

            @Override
            public Rectangle2D place(@Nullable Action last) {
                return field(0, position[i] + END);
            }
        };
    }
}
