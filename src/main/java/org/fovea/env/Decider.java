// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What a simulator asks for its actions; see {@link CallbackEnvironment}.
 *
 * <p>It owns the thread that the simulator runs in. Of that thread and the one that plays the environment exactly one runs at any
 * time: the one whose turn it is. All fields but the turn are written and read by whoever has it.
 */
public final class Decider {
    /** A simulator that asks so often after its episode has ended is not going to stop. */
    private static final int MOST_REFUSALS = 1000;

    private static final long MILLIS_TO_END = 5000;
    private static final Action NONE = Action.ofChoices();
    private static final AtomicInteger THREADS = new AtomicInteger();

    private final CallbackEnvironment environment;
    private final int observationSize;
    private final int choices;
    private final Thread thread;
    private volatile boolean simulatorsTurn;
    private @Nullable Thread player;

    private boolean started;

    /** Whether the player no longer waits for the simulator, which may be anywhere. */
    private volatile boolean abandoned;

    /** Whether the simulator ran on after its episode's end, and was stopped for good. */
    private volatile boolean halted;

    // What the player hands over.
    private long seed;
    private Action action = NONE;
    private boolean givingUp;
    private boolean endingThread;

    // What the simulator hands back.
    private float[] observation = {};
    private boolean @Nullable [] allowed;
    private double reward;
    private boolean running;
    private boolean truncated;
    private @Nullable Throwable failure;

    /** Whether {@code decide} only throws, since the episode has ended but {@code run} has not. */
    private boolean ending;

    private int refusals;

    Decider(CallbackEnvironment environment) {
        this.environment = environment;
        this.observationSize = environment.observationSpace().size();
        this.choices =
                Arrays.stream(Schema.of(environment.actionSpace()).choices()).sum();
        thread = new Thread(
                this::live,
                "fovea-simulator-" + THREADS.getAndIncrement() + "-"
                        + environment.getClass().getSimpleName());
        thread.setDaemon(true);
    }

    // The simulator's side.

    /**
     * Asks for the action in a state where everything is allowed.
     *
     * @param observation of the state, {@code observationSpace().size()} numbers; not copied, and free again on return
     */
    public Action decide(float[] observation) {
        return ask(observation, null);
    }

    /**
     * Asks for the action in a state where some choices are forbidden. The environment's {@link Environment#masksActions} is
     * true.
     *
     * @param allowed one element per choice, see {@link Environment#actionMask}
     */
    public Action decide(float[] observation, boolean[] allowed) {
        return ask(observation, allowed);
    }

    /** Adds to the reward of the last action. What is added before the first decision counts for the first action. */
    public void reward(double amount) {
        requireSimulatorsThread("reward");
        if (!Double.isFinite(amount)) {
            throw refuse("the reward is " + amount);
        }
        reward += amount;
    }

    /**
     * Cuts the episode short, as a time limit does: what would follow still has value. Does not return.
     *
     * @param observation of the state that it is cut in
     * @throws EpisodeEndError always; {@link CallbackEnvironment#run} must let it pass
     */
    public void truncate(float[] observation) {
        requireSimulatorsThread("truncate");
        if (!ending) {
            requireSize("observation", observation.length, observationSize);
            this.observation = observation;
            truncated = true;
            ending = true;
        }
        throw new EpisodeEndError();
    }

    private Action ask(float[] state, boolean @Nullable [] mask) {
        requireSimulatorsThread("decide");
        if (ending) {
            throw ended();
        }
        requireSize("observation", state.length, observationSize);
        if (mask != null) {
            requireSize("action mask", mask.length, choices);
        }
        observation = state;
        allowed = mask;
        handBack();
        awaitTurn();
        if (givingUp || abandoned) {
            ending = true;
            throw new EpisodeEndError();
        }
        return action;
    }

    private void requireSimulatorsThread(String method) {
        if (Thread.currentThread() != thread) {
            throw new IllegalStateException(
                    method + " was called by thread '" + Thread.currentThread().getName()
                            + "', but only the one that run is called in may: '" + thread.getName() + "'");
        }
    }

    private void requireSize(String what, int size, int expected) {
        if (size != expected) {
            throw refuse("the " + what + " has " + size + " elements, expected " + expected);
        }
    }

    /** The exception for a wrong argument, by which the episode fails even if {@code run} catches it. */
    private IllegalArgumentException refuse(String message) {
        IllegalArgumentException refusal = new IllegalArgumentException(message);
        if (!ending) {
            failure = refusal;
            ending = true;
        }
        return refusal;
    }

    private EpisodeEndError ended() {
        if (++refusals >= MOST_REFUSALS) {
            if (failure == null) {
                failure = new IllegalStateException(
                        "run goes on after its episode has ended: it caught " + EpisodeEndError.class.getName()
                                + ", which decide threw, " + MOST_REFUSALS + " times; let it pass");
            }
            abandoned = true;
            halted = true;
            handBack();
            while (true) {
                // Nothing in Java ends a thread that doesn't want to; this one at least does nothing any more.
                Thread.interrupted();
                LockSupport.park(this);
            }
        }
        return new EpisodeEndError();
    }

    private void live() {
        while (true) {
            awaitTurn();
            if (endingThread || abandoned) {
                return;
            }
            try {
                environment.run(this, seed);
            } catch (Throwable thrown) {
                boolean isEnd = ending && EpisodeEndError.isCauseOf(thrown);
                if (failure == null && !isEnd) {
                    failure = thrown;
                }
            }
            running = false;
            handBack();
        }
    }

    private void handBack() {
        Thread other = player;
        simulatorsTurn = false;
        LockSupport.unpark(other);
    }

    private void awaitTurn() {
        boolean interrupted = false;
        while (!simulatorsTurn && !abandoned) {
            LockSupport.park(this);
            // Parking does not wait while this is set.
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            thread.interrupt();
        }
    }

    // The player's side.

    /** Runs an episode up to its first decision and returns the observation. */
    float[] begin(long episodeSeed) {
        seed = episodeSeed;
        givingUp = false;
        ending = false;
        truncated = false;
        refusals = 0;
        reward = 0;
        running = true;
        handOver();
        if (!running) {
            throw new IllegalStateException(
                    "run returned before it asked for a decision; an episode needs at least one");
        }
        return observation;
    }

    /** Goes on to the next decision, or the end of the episode. */
    Step act(Action next) {
        if (!running) {
            throw new IllegalStateException("step outside an episode: call reset first");
        }
        action = next;
        handOver();
        float sinceLastDecision = (float) reward;
        reward = 0;
        return new Step(observation, sinceLastDecision, !running && !truncated, !running && truncated, allowed);
    }

    /** Which choices are allowed now; null for all. */
    boolean @Nullable [] allowed() {
        return allowed;
    }

    /** Ends the episode if one is under way. */
    void giveUpEpisode() {
        if (running) {
            givingUp = true;
            handOver();
        }
    }

    /** Whether its thread waits for the player, as it should whenever the player asks. */
    boolean isUsable() {
        return !abandoned;
    }

    /** Ends the thread. */
    void endThread() {
        if (!abandoned) {
            giveUpEpisode();
        }
        if (!abandoned) {
            endingThread = true;
            simulatorsTurn = true;
        }
        if (!started || halted) {
            return;
        }
        LockSupport.unpark(thread);
        join();
        if (thread.isAlive()) {
            IllegalStateException stuck = new IllegalStateException(
                    "run did not end within " + MILLIS_TO_END / 1000 + " seconds of its episode's end");
            stuck.setStackTrace(thread.getStackTrace());
            throw stuck;
        }
    }

    private void join() {
        boolean interrupted = false;
        long end = System.nanoTime() + MILLIS_TO_END * 1_000_000;
        while (thread.isAlive() && System.nanoTime() < end) {
            try {
                thread.join(Math.max(1, (end - System.nanoTime()) / 1_000_000));
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void handOver() {
        failure = null;
        player = Thread.currentThread();
        simulatorsTurn = true;
        if (!started) {
            thread.start();
            started = true;
        }
        LockSupport.unpark(thread);
        while (simulatorsTurn) {
            // Who looks for the cause of a long wait finds the thread that is waited for as its blocker.
            LockSupport.park(thread);
            if (Thread.currentThread().isInterrupted() && simulatorsTurn) {
                abandoned = true;
                thread.interrupt();
                throw new IllegalStateException("interrupted while the simulator ran");
            }
        }
        Throwable thrown = failure;
        if (thrown != null) {
            failure = null;
            Decider.<RuntimeException>rethrow(thrown);
        }
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> void rethrow(Throwable thrown) throws E {
        throw (E) thrown;
    }
}
