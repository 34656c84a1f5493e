// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.concurrent.atomic.AtomicInteger;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Space;
import org.fovea.env.Step;

/** An environment such as a newcomer writes first: one number, two choices, episodes of ten steps. It counts its instances. */
class Countdown implements Environment {
    private static final int LENGTH = 10;

    /** Of all kinds, in this virtual machine. */
    static final AtomicInteger MADE = new AtomicInteger();

    static final AtomicInteger CLOSED = new AtomicInteger();

    /** From 0 in order of construction, since {@link #forget}. */
    final int number = MADE.getAndIncrement();

    int time;
    private boolean closed;

    static void forget() {
        MADE.set(0);
        CLOSED.set(0);
    }

    @Override
    public Space observationSpace() {
        return new Space.Box(1, 0, 1);
    }

    @Override
    public Space actionSpace() {
        return new Space.Discrete(2);
    }

    @Override
    public float[] reset(long seed) {
        time = 0;
        return observation();
    }

    @Override
    public Step step(Action action) {
        return ++time == LENGTH ? Step.terminated(observation(), action.choice()) : Step.of(observation(), 0);
    }

    float[] observation() {
        return new float[] {time / (float) LENGTH};
    }

    @Override
    public void close() {
        if (closed) {
            throw new IllegalStateException("closed twice");
        }
        closed = true;
        CLOSED.incrementAndGet();
    }
}
