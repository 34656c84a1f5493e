// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.tasks;

import java.util.Random;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Step;

/** Base of the tasks here: a source of randomness, the time, and a number of steps after which the task ends. */
abstract class Task implements Environment {
    private final int steps;
    private Random random = new Random(0);
    private int time;

    /** @param steps of an episode, at most */
    Task(int steps) {
        this.steps = steps;
    }

    /** Chooses what the episode is about. */
    abstract void begin(Random episodeRandom);

    /** What is seen now. */
    abstract float[] observe();

    /** Acts; returns the reward. */
    abstract double act(Action action);

    /** Whether the episode is over before its time. */
    boolean isDone() {
        return false;
    }

    /** Steps taken. */
    final int time() {
        return time;
    }

    final Random random() {
        return random;
    }

    @Override
    public final float[] reset(long seed) {
        random = new Random(seed);
        time = 0;
        begin(random);
        return observe();
    }

    @Override
    public final Step step(Action action) {
        double reward = act(action);
        time++;
        return isDone() || time == steps ? Step.terminated(observe(), reward) : Step.of(observe(), reward);
    }

    /** {@code size} numbers, 1 at {@code hot} and 0 elsewhere. */
    static float[] oneHot(int size, int hot) {
        float[] values = new float[size];
        values[hot] = 1;
        return values;
    }
}
