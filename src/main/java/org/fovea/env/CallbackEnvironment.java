// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import org.jspecify.annotations.Nullable;

/**
 * An environment around a simulator that runs by itself and calls back where it needs a decision, as discrete-event simulators
 * do. {@link #run} plays a whole episode and asks {@link Decider#decide} for each action; returning ends the episode.
 *
 * <pre>{@code
 * final class Queue extends CallbackEnvironment {
 *     public Space observationSpace() { return new Space.Box(1, 0, 100); }
 *     public Space actionSpace() { return new Space.Discrete(2); }
 *
 *     protected void run(Decider decider, long seed) {
 *         Simulator simulator = new Simulator(seed);
 *         simulator.onArrival(customer -> {
 *             int counter = decider.decide(new float[] {simulator.waiting()}).choice();
 *             simulator.send(customer, counter);
 *         });
 *         simulator.onServed(customer -> decider.reward(-customer.waited()));
 *         simulator.start(); // returns when all are served
 *     }
 * }
 * }</pre>
 *
 * <p>Each instance runs its episodes in a thread of its own, but never at the same time as the thread that plays it: either
 * the simulator runs, or it waits for an action. So what happens does not depend on timing, and {@code run} may use the
 * instance's fields without synchronisation. A hand-over costs some microseconds.
 *
 * <p>An episode that is given up in the middle, by {@link #reset} or {@link #close}, ends by an {@link EpisodeEndError} that
 * {@code decide} throws.
 */
public abstract class CallbackEnvironment implements Environment {
    private @Nullable Decider decider;

    /**
     * Runs one episode from beginning to end. Returning terminates it; {@link Decider#truncate} cuts it short. At least one
     * decision must be asked for.
     *
     * @param decider to be asked for actions, by this thread alone and not after the episode
     * @param seed from which the randomness of the episode follows
     */
    protected abstract void run(Decider decider, long seed) throws Exception;

    /** Releases what the simulator holds beyond an episode; its thread has ended. Called once. */
    protected void release() {}

    @Override
    public final float[] reset(long seed) {
        Decider now = decider;
        if (now != null && now.isUsable()) {
            now.giveUpEpisode();
        }
        if (now == null || !now.isUsable()) {
            now = new Decider(this);
            decider = now;
        }
        return now.begin(seed);
    }

    @Override
    public final Step step(Action action) {
        if (decider == null) {
            throw new IllegalStateException("step before reset");
        }
        return decider.act(action);
    }

    @Override
    public final boolean @Nullable [] actionMask() {
        return decider == null ? null : decider.allowed();
    }

    /** Ends the simulator's thread, then {@linkplain #release releases} the rest. */
    @Override
    public final void close() {
        Decider last = decider;
        decider = null;
        try {
            if (last != null) {
                last.endThread();
            }
        } finally {
            release();
        }
    }
}
