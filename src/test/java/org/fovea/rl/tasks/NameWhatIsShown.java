// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/**
 * One of six is shown, one-hot; naming it pays. Twenty times, so that 20 is the optimum and 3.3 chance. Rewards may be
 * multiplied and observations moved, which changes nothing about the task.
 */
final class NameWhatIsShown extends Task {
    private static final int SYMBOLS = 6;

    private final double rewardScale;
    private final float offset;
    private int shown;

    NameWhatIsShown(double rewardScale, float offset) {
        super(20);
        this.rewardScale = rewardScale;
        this.offset = offset;
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(SYMBOLS, offset, offset + 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(SYMBOLS);
    }

    @Override
    void begin(Random random) {
        shown = random.nextInt(SYMBOLS);
    }

    @Override
    float[] observe() {
        float[] observation = oneHot(SYMBOLS, shown);
        for (int i = 0; i < SYMBOLS; i++) {
            observation[i] += offset;
        }
        return observation;
    }

    @Override
    double act(Action action) {
        double reward = action.choice() == shown ? rewardScale : 0;
        shown = random().nextInt(SYMBOLS);
        return reward;
    }
}
