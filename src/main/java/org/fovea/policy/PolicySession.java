// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.jspecify.annotations.Nullable;

/**
 * A policy in one environment, or in a batch of them that act together: what it remembers of their episodes, and what it did last.
 * It acts as {@code fovea eval} does, to the bit.
 *
 * <p>A session belongs to one thread at a time. A call while another is under way is refused, and changes nothing. After its first
 * steps a session allocates nothing, unless its policy sees sets of entities.
 */
public final class PolicySession implements AutoCloseable {
    /** By how much the random streams of two steps differ, as in evaluations. */
    private static final int STREAMS = 2;

    private final Agent agent;
    private final int segmentSteps;
    private final int batch;
    private final int size;
    private final int[] choices;
    private final boolean[] everything;

    /** Whether something may be forbidden besides the choice of entities that aren't there, which the policy sees itself. */
    private final boolean needsMasks;

    private final ActorCritic.Context context;
    private final PolicyRunner runner;
    private final PolicyRows rows;
    private final StepBatch outcome;
    private final int[] episodeSteps;
    private final Decision decision;
    private final AtomicReference<@Nullable Thread> user = new AtomicReference<>();
    private long played;
    private int playedInSegment;
    private boolean closed;

    PolicySession(Agent agent, int segmentSteps, int batch, long seed) {
        this.agent = agent;
        this.segmentSteps = segmentSteps;
        this.batch = batch;
        this.size = agent.spaces().observations().size();
        Schema actions = Schema.of(agent.spaces().actions());
        this.choices = actions.choices();
        this.everything = new boolean
                [agent.spaces().masked() ? batch * Arrays.stream(choices).sum() : 0];
        Arrays.fill(everything, true);
        this.needsMasks = agent.spaces().masked()
                && actions.leaves().stream().noneMatch(leaf -> leaf.space() instanceof Space.EntityChoice);
        this.context = agent.network().context(batch, segmentSteps, 0);
        this.runner = new PolicyRunner(agent, context, 0, batch, null, 1, seed, STREAMS, false);
        runner.actAlone();
        this.rows = runner.rows(0, batch);
        this.outcome = StepBatch.allocate(batch, size);
        this.episodeSteps = new int[batch];
        this.decision = new Decision(agent, actions, batch);
    }

    /** Environments that act together. */
    public int batch() {
        return batch;
    }

    /**
     * Takes the most likely actions.
     *
     * @param observations [batch, numbers of an observation]
     * @return what was decided: the same object each time, overwritten by the next call
     * @throws IllegalArgumentException if there are more or fewer numbers, or one is NaN or infinite
     * @throws IllegalStateException if another thread is using this session, or it is closed
     */
    public Decision act(float[] observations) {
        return act(observations, null, false);
    }

    /**
     * The same where some choices are forbidden.
     *
     * @param allowed [batch, choices of all parts of an action], at least one in each part
     */
    public Decision act(float[] observations, boolean[] allowed) {
        return act(observations, allowed, false);
    }

    /** Draws actions from the policy, as in training, in place of the most likely ones. */
    public Decision sample(float[] observations) {
        return act(observations, null, true);
    }

    /** The same where some choices are forbidden. */
    public Decision sample(float[] observations, boolean[] allowed) {
        return act(observations, allowed, true);
    }

    private Decision act(float[] observations, boolean @Nullable [] allowed, boolean draws) {
        enter();
        try {
            check(observations);
            boolean[] mask = masks(allowed);
            if (played == 0) {
                runner.beginSegment(episodeSteps, 0);
            } else if (playedInSegment == segmentSteps) {
                runner.renewSegment(episodeSteps, played * STREAMS);
                playedInSegment = 0;
            }
            if (playedInSegment == 0) {
                rows.show(observations, mask);
            } else {
                rows.show(observations, outcome, mask);
            }
            if (draws) {
                rows.sample();
            } else {
                rows.chooseBest();
            }
            played++;
            playedInSegment++;
            for (int i = 0; i < batch; i++) {
                episodeSteps[i]++;
                outcome.truncated()[i] = false;
            }
            decision.read(runner);
            return decision;
        } finally {
            user.set(null);
        }
    }

    /** Begins a new episode in every environment: what was remembered of the last is forgotten. */
    public void reset() {
        enter();
        try {
            Arrays.fill(episodeSteps, 0);
            Arrays.fill(outcome.truncated(), true);
        } finally {
            user.set(null);
        }
    }

    /**
     * Begins a new episode in one environment of the batch.
     *
     * @throws IndexOutOfBoundsException if the batch has no such environment
     */
    public void reset(int environment) {
        enter();
        try {
            if (environment < 0 || environment >= batch) {
                throw new IndexOutOfBoundsException(
                        "environment " + environment + " of a session of " + batch + ", which are counted from 0");
            }
            episodeSteps[environment] = 0;
            outcome.truncated()[environment] = true;
        } finally {
            user.set(null);
        }
    }

    private void enter() {
        Thread me = Thread.currentThread();
        if (!user.compareAndSet(null, me)) {
            Thread other = user.get();
            throw new IllegalStateException(
                    "this session is in use by " + (other == null ? "another thread" : other.getName())
                            + " while " + me.getName()
                            + " calls it: a session belongs to one thread at a time; give each its own"
                            + " (policy.newSession()), or let them take turns by a lock");
        }
        if (closed) {
            user.set(null);
            throw new IllegalStateException("this session is closed");
        }
    }

    private void check(float[] observations) {
        if (observations.length != batch * size) {
            throw new IllegalArgumentException(
                    "an observation of " + agent.spaces().observations() + " has " + size
                            + " numbers, so that " + batch * size + " are expected for a batch of " + batch + ", got "
                            + observations.length);
        }
        for (int i = 0; i < observations.length; i++) {
            if (!Float.isFinite(observations[i])) {
                throw new IllegalArgumentException("observation "
                        + Schema.of(agent.spaces().observations()).element(i % size)
                        + (batch == 1 ? "" : " of environment " + i / size) + " is " + observations[i]
                        + ", expected a finite number");
            }
        }
    }

    private boolean[] masks(boolean @Nullable [] allowed) {
        if (allowed == null) {
            if (needsMasks) {
                throw new IllegalArgumentException(
                        "this policy was trained where some choices are forbidden, and is to be told"
                                + " which are allowed: act(observations, allowed)");
            }
            return everything;
        }
        if (!agent.spaces().masked()) {
            throw new IllegalArgumentException(
                    "this policy was trained where every choice is always allowed, and takes no"
                            + " masks: call it without");
        }
        if (allowed.length != everything.length) {
            throw new IllegalArgumentException("an action of " + agent.spaces().actions() + " has "
                    + everything.length / batch + " choices, so that masks of " + everything.length
                    + " are expected for a batch of " + batch + ", got " + allowed.length);
        }
        int at = 0;
        for (int i = 0; i < batch; i++) {
            for (int part = 0; part < choices.length; part++) {
                boolean any = false;
                for (int choice = 0; choice < choices[part]; choice++) {
                    any |= allowed[at++];
                }
                if (!any) {
                    throw new IllegalArgumentException("the mask of environment " + i + " allows none of the "
                            + choices[part] + " choices of part " + part + " of the action; allow at least one");
                }
            }
        }
        return allowed;
    }

    /** Gives back the memory, for sessions to come. Without it the garbage collector does. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        enter();
        closed = true;
        try (context) {
            runner.close();
        } finally {
            user.set(null);
        }
    }
}
