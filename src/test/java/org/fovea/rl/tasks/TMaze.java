// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Space;

/** A cue of 1 or -1 at the start of a corridor; at its end turn up (0) or down (1) as the cue said, for 1. */
final class TMaze extends Task {
    private final int length;
    private int cue;

    TMaze(int length) {
        super(length + 1);
        this.length = length;
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(2, -1, 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(2);
    }

    @Override
    void begin(Random random) {
        cue = random.nextBoolean() ? 1 : -1;
    }

    @Override
    float[] observe() {
        return new float[] {time() == 0 ? cue : 0, time() == length ? 1 : 0};
    }

    @Override
    double act(Action action) {
        return time() == length && action.choice() == (cue == 1 ? 0 : 1) ? 1 : 0;
    }
}
