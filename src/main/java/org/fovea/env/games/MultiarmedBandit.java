// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.geom.Rectangle2D;
import java.util.Arrays;
import org.fovea.env.Action;
import org.fovea.env.BatchedEnvironment;
import org.fovea.env.DeviceForm;
import org.fovea.env.Drawable;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.jspecify.annotations.Nullable;

/**
 * Find the arm that pays most often, and pull it.
 *
 * <p>Each arm has a chance of paying that is uniformly drawn for the episode. The action is the arm; observation: whether it
 * paid, one-hot, not at first, so that a policy must know what it pulled. Reward 1 / T if it paid, else -1 / T. Truncated after T
 * steps.
 *
 * <p>Source: POPGym, Morad et al. (2023): Easy has 10 arms and T = 200, Medium 20 and 400, Hard 30 and 600.
 */
final class MultiarmedBandit extends BatchedEnvironment {
    private final int arms;
    private final float scale;

    /** Bits of each arm's chance as a float, [count, arms]. */
    private final int[] chances;

    static EnvironmentSpec spec(Level level) {
        int arms = level.of(10, 20, 30);
        int steps = level.of(200, 400, 600);
        return level.spec(
                        "MultiarmedBandit",
                        "Find the arm that pays most often",
                        count -> new MultiarmedBandit(count, arms, steps))
                .withReference("best arm known", level.of(0.81, 0.91, 0.94))
                .withReference("upper confidence bound", level.of(0.70, 0.79, 0.82))
                .withReference("win stay, lose change", level.of(0.46, 0.56, 0.59))
                .withReference("random", 0);
    }

    MultiarmedBandit(int count, int arms, int steps) {
        super(count, new Space.Discrete(2), new Space.Discrete(arms), steps);
        this.arms = arms;
        this.scale = 1f / steps;
        chances = newInts(arms);
    }

    /** Of the kernel. */
    private record Constants(int arms, float scale) {}

    @Override
    protected DeviceForm deviceForm() {
        return new DeviceForm("multiarmed_bandit", new Constants(arms, scale));
    }

    @Override
    protected void begin(int i, float[] observations) {
        for (int arm = i * arms; arm < (i + 1) * arms; arm++) {
            chances[arm] = Float.floatToIntBits((float) uniform(i, 0, 1));
        }
        writeOneHot(0, 2, observations, 2 * i);
    }

    @Override
    protected void advance(int[] choices, float[] values, StepBatch result) {
        Arrays.fill(result.terminated(), false);
        for (int i = 0; i < count(); i++) {
            boolean paid = uniform(i, 0, 1) < Float.intBitsToFloat(chances[i * arms + choices[i]]);
            result.rewards()[i] = paid ? scale : -scale;
            writeOneHot(paid ? 1 : 0, 2, result.observations(), 2 * i);
        }
    }

    @Override
    public Drawable drawable(int i) {
        return new Board(1, arms) {
            private float chance(int arm) {
                return Float.intBitsToFloat(chances[i * arms + arm]);
            }

            @Override
            Color colour(int row, int column) {
                return Color.getHSBColor(chance(column) / 3, 0.6f, 0.75f);
            }

            @Override
            String label(int row, int column) {
                return "" + Math.min(9, (int) (10 * chance(column)));
            }

            @Override
            String caption() {
                return "how often in ten each arm pays, which the agent can't see";
            }

            @Override
            public @Nullable Rectangle2D place(@Nullable Action last) {
                return last == null ? null : field(0, last.choice());
            }
        };
    }
}
