// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/** Symbols of four are shown one by one; after a pause they are asked for in the same order, each right answer 1 / count. */
final class Recall extends Task {
    private static final int SYMBOLS = 4;

    private final int[] shown;
    private final int pause;

    Recall(int count, int pause) {
        super(2 * count + pause);
        this.shown = new int[count];
        this.pause = pause;
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(SYMBOLS + 1, 0, 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(SYMBOLS);
    }

    @Override
    void begin(Random random) {
        for (int i = 0; i < shown.length; i++) {
            shown[i] = random.nextInt(SYMBOLS);
        }
    }

    @Override
    float[] observe() {
        if (time() < shown.length) {
            return oneHot(SYMBOLS + 1, shown[time()]);
        }
        return time() < shown.length + pause ? new float[SYMBOLS + 1] : oneHot(SYMBOLS + 1, SYMBOLS);
    }

    @Override
    double act(Action action) {
        int asked = time() - shown.length - pause;
        return asked >= 0 && action.choice() == shown[asked] ? 1.0 / shown.length : 0;
    }
}
