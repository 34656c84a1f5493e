// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import org.fovea.env.JoinedBatch;
import org.fovea.env.StepBatch;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRunner;

/**
 * Plays some of a run's environments for a segment and records it. Players of a run work side by side: nothing here is
 * shared but what stands still while a segment is played.
 */
final class SegmentPlayer {
    private final Agent agent;
    private final JoinedBatch environment;
    private final JoinedBatch.Share whole;
    private final PolicyRunner policy;
    private final RewardNormalizer rewards;
    private final Segment segment;
    private final EpisodeLog episodes = new EpisodeLog();
    private final long seed;
    private final int steps;
    private final int first;
    private final int count;

    private final StepBatch result;
    private final float[] observations;
    private final float[] peekedValues;

    /** Environments whose episode was cut in a step, and steps whose final observations are set aside. */
    private final int[] cut;

    private final int[] cutRows;
    private final float[] recalledValues;
    private int aside;

    /** Which choices the environments allow; empty where they allow all. */
    private final boolean[] allowed;

    private final int[] episodeSteps;
    private final float[] discountedReturns;
    private final double[] episodeReturns;
    private long environmentNanos;
    private long actingNanos;
    private int longestEpisode;

    /** @param first index of the environment's first member among those of the run */
    SegmentPlayer(
            Agent agent,
            ActorCritic.Context context,
            RewardNormalizer rewards,
            JoinedBatch environment,
            int first,
            int steps,
            long seed) {
        this.agent = agent;
        this.environment = environment;
        this.rewards = rewards;
        this.seed = seed;
        this.steps = steps;
        this.first = first;
        this.count = environment.count();
        this.whole = environment.shares(false).get(0);
        this.policy = new PolicyRunner(agent, context, first, count);
        int observationSize = environment.observationSpace().size();
        this.segment = new Segment(count, steps, observationSize, policy);
        this.allowed = environment.newActionMasks();
        this.result = StepBatch.allocate(count, observationSize);
        this.observations = new float[count * observationSize];
        this.peekedValues = new float[count];
        this.cut = new int[policy.places()];
        this.cutRows = new int[policy.places()];
        this.recalledValues = new float[policy.places()];
        this.episodeSteps = new int[count];
        this.discountedReturns = new float[count];
        this.episodeReturns = new double[count];
    }

    /** Starts every environment. */
    void reset() {
        environment.reset(seed, first, observations);
        checkFinite(observations, 0, count, 0, "observation after reset");
    }

    /**
     * Plays one segment and uploads all of it but the rewards, or as much of it as there is time for and leaves it there.
     *
     * @param firstStep number of steps that each environment of the run has taken before
     * @return whether the segment is complete
     */
    boolean collect(Rollout rollout, long firstStep, StopSignal stop) {
        begin();
        for (int step = 0; step < steps; step++) {
            if (!play(step, firstStep + step, stop)) {
                return false;
            }
        }
        finish(rollout);
        return true;
    }

    /** Begins a segment. */
    void begin() {
        long start = System.nanoTime();
        episodes.clear();
        policy.beginSegment(episodeSteps);
        aside = 0;
        environmentNanos = 0;
        actingNanos = System.nanoTime() - start;
    }

    /**
     * Plays one step of it, unless there is no time.
     *
     * @param runStep number of steps that each environment of the run has taken before
     * @return whether it was played
     */
    boolean play(int step, long runStep, StopSignal stop) {
        if (stop.now()) {
            return false;
        }
        long start = System.nanoTime();
        act(whole, step, runStep);
        long acted = System.nanoTime();
        environment.step(policy.choices(), policy.boundedActions(), result);
        long stepped = System.nanoTime();
        record(whole, step, runStep, stop);
        environmentNanos += stepped - acted;
        actingNanos += acted - start + System.nanoTime() - stepped;
        return true;
    }

    /** Lets the policy act in some environments. */
    private void act(JoinedBatch.Share share, int step, long runStep) {
        int from = share.first();
        int to = share.end();
        policy.show(observations, episodeSteps, from, to);
        if (allowed.length > 0) {
            share.actionMasks(allowed);
            policy.allow(allowed);
        }
        policy.sample(step, episodeSteps, seed, RandomStreams.actions(runStep), from, to);
        segment.played(step, observations, policy, from, to);
    }

    /** Some of the environments, which step while the policy acts in others. */
    final class Turn {
        private final JoinedBatch.Share share;
        private long begunNanos;
        private long startedNanos;
        private long endedNanos;

        private Turn(JoinedBatch.Share share) {
            this.share = share;
        }

        /** Ends step {@code step - 1}, if there is one, and begins the next; whether there was time for it. */
        boolean play(int step, long runStep, StopSignal stop) {
            if (step > 0) {
                end(step - 1, runStep - 1, stop);
            }
            if (stop.now()) {
                return false;
            }
            long start = System.nanoTime();
            act(share, step, runStep);
            begunNanos = System.nanoTime();
            actingNanos += begunNanos - start;
            share.start(policy.choices(), policy.boundedActions(), result);
            return true;
        }

        /** Waits for the end of a step, and records what came of it. */
        void end(int step, long runStep, StopSignal stop) {
            share.await();
            startedNanos = begunNanos;
            endedNanos = share.endedNanos();
            environmentNanos += endedNanos - startedNanos;
            long start = System.nanoTime();
            record(share, step, runStep, stop);
            actingNanos += System.nanoTime() - start;
        }

        /** Waits until nobody is within a step. */
        void settle() {
            share.settle();
        }

        /** When the step that ended last began, by {@link System#nanoTime}; at first as if one had taken no time. */
        long startedNanos() {
            return startedNanos;
        }

        /** When it ended. */
        long endedNanos() {
            return endedNanos;
        }
    }

    /** The turns that make up a step: one, or two if it is halved and can be. */
    List<Turn> turns(boolean halves) {
        return environment.shares(halves).stream().map(Turn::new).toList();
    }

    /** Ends the segment, and uploads all of it but the rewards. */
    void finish(Rollout rollout) {
        long start = System.nanoTime();
        policy.show(observations, episodeSteps);
        policy.peek(steps, episodeSteps, peekedValues);
        if (aside > 0) {
            recall();
        }
        segment.finish(peekedValues);
        policy.endSegment();
        segment.upload(agent.backend(), rollout, first);
        actingNanos += System.nanoTime() - start;
    }

    /** Time in which environments stepped in the last segment; in turns, the sum over turns. */
    long environmentNanos() {
        return environmentNanos;
    }

    /** All other time that it took. */
    long actingNanos() {
        return actingNanos;
    }

    private void record(JoinedBatch.Share share, int step, long runStep, StopSignal stop) {
        int from = share.first();
        int to = share.end();
        checkFinite(result.observations(), from, to, runStep, "observation");
        checkFinite(result.rewards(), from, to, runStep, "reward");
        float[] reported = environment.reportedRewards(result);
        boolean anyTruncated = false;
        for (int i = from; i < to; i++) {
            float reward = result.rewards()[i];
            anyTruncated |= result.truncated()[i];
            episodeSteps[i]++;
            longestEpisode = Math.max(longestEpisode, episodeSteps[i]);
            episodeReturns[i] += reported[i];
            discountedReturns[i] = rewards.discount(discountedReturns[i], reward);
            segment.rewarded(step, i, reward, ended(i), discountedReturns[i]);
        }
        if (anyTruncated) {
            setTruncatedAside(from, to, step, runStep);
        }
        for (int i = from; i < to; i++) {
            if (ended(i)) {
                episodes.ended(episodeReturns[i], episodeSteps[i]);
                episodeReturns[i] = 0;
                discountedReturns[i] = 0;
                episodeSteps[i] = 0;
            }
        }
        int size = observations.length / count;
        System.arraycopy(result.observations(), from * size, observations, from * size, (to - from) * size);
        stop.played(to - from);
    }

    /**
     * What follows a truncated episode still has value: that of its final observation. Several are computed at a time, later in the
     * segment.
     */
    private void setTruncatedAside(int from, int to, int step, long runStep) {
        int number = 0;
        for (int i = from; i < to; i++) {
            if (result.truncated()[i]) {
                checkFinite(result.finalObservations(), i, i + 1, runStep, "final observation");
                policy.show(result.finalObservations(), episodeSteps, i, i + 1);
                cut[number] = i;
                cutRows[aside + number++] = segment.row(step, i);
            }
            if (number > 0 && (aside + number == cutRows.length || i == to - 1)) {
                policy.setAside(cut, number, step + 1, episodeSteps, aside);
                aside += number;
                number = 0;
            }
            if (aside == cutRows.length) {
                recall();
            }
        }
    }

    private void recall() {
        policy.recall(recalledValues);
        for (int i = 0; i < aside; i++) {
            segment.truncated(cutRows[i], recalledValues[i]);
        }
        aside = 0;
    }

    private boolean ended(int i) {
        return result.terminated()[i] || result.truncated()[i];
    }

    /** Checks the rows of environments {@code [from, to)}. */
    private void checkFinite(float[] values, int from, int to, long runStep, String name) {
        int size = values.length / count;
        for (int i = from * size; i < to * size; i++) {
            if (!Float.isFinite(values[i])) {
                throw new NonFiniteException(
                        name + "[environment " + (first + i / size) + ", element " + i % size + "]",
                        values[i],
                        runStep);
            }
        }
    }

    /** Lets the agent's normalizer take in the observations that the next step starts from. */
    void includeObservations() {
        agent.observations().include(observations, count);
    }

    /** Lets the agent's normalizer take in the observations of the segment. */
    void includeSegment() {
        segment.includeIn(agent.observations());
    }

    /** Lets the run's normalizer take in the rewards of the segment. */
    void includeRewards() {
        segment.includeIn(rewards);
    }

    /** Uploads the rewards of the segment, normalized. */
    void uploadRewards(Rollout rollout) {
        segment.uploadRewards(agent.backend(), rewards, rollout, first);
    }

    /** Steps of the longest episode so far, whether or not it has ended. */
    int longestEpisode() {
        return longestEpisode;
    }

    /** Episodes that ended in the last segment, in order of time. */
    EpisodeLog episodes() {
        return episodes;
    }

    boolean canSaveState() {
        return environment.canSaveState();
    }

    int count() {
        return count;
    }

    /** Writes the state of environment {@code i} of this player's, and where its episode stands. */
    void saveState(int i, DataOutput out) throws IOException {
        environment.saveState(i, out);
        int size = observations.length / count;
        for (int j = i * size; j < (i + 1) * size; j++) {
            out.writeFloat(observations[j]);
        }
        int actionSize = policy.actions().length / count;
        int parts = policy.choices().length / count;
        for (int j = i * parts; j < (i + 1) * parts; j++) {
            out.writeInt(policy.choices()[j]);
        }
        for (int j = i * actionSize; j < (i + 1) * actionSize; j++) {
            out.writeFloat(policy.actions()[j]);
        }
        out.writeInt(episodeSteps[i]);
        out.writeFloat(discountedReturns[i]);
        out.writeDouble(episodeReturns[i]);
    }

    /** Restores what was saved. */
    void restoreState(int i, DataInput in) throws IOException {
        environment.restoreState(i, in);
        int size = observations.length / count;
        for (int j = i * size; j < (i + 1) * size; j++) {
            observations[j] = in.readFloat();
        }
        int actionSize = policy.actions().length / count;
        int parts = policy.choices().length / count;
        for (int j = i * parts; j < (i + 1) * parts; j++) {
            policy.choices()[j] = in.readInt();
        }
        for (int j = i * actionSize; j < (i + 1) * actionSize; j++) {
            policy.actions()[j] = in.readFloat();
        }
        episodeSteps[i] = in.readInt();
        discountedReturns[i] = in.readFloat();
        episodeReturns[i] = in.readDouble();
    }

    /**
     * Starts every environment afresh in a run that goes on.
     *
     * @param runStep number of steps that each environment had taken
     */
    void restart(long runStep) {
        environment.reset(seed + runStep, first, observations);
    }
}
