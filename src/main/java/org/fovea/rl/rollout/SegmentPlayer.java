// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRunner;

/**
 * Plays some of a run's environments for a segment and records it. Players of a run work side by side: nothing here is
 * shared but what stands still while a segment is played.
 */
final class SegmentPlayer {
    private final Agent agent;
    private final VectorEnvironment environment;
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

    /** Which choices the environments allow; empty where they allow all. */
    private final boolean[] allowed;

    private final int[] episodeSteps;
    private final float[] discountedReturns;
    private final double[] episodeReturns;
    private long environmentNanos;
    private long nanos;
    private int longestEpisode;

    /** @param first index of the environment's first member among those of the run */
    SegmentPlayer(
            Agent agent,
            ActorCritic.Context context,
            RewardNormalizer rewards,
            VectorEnvironment environment,
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
        this.policy = new PolicyRunner(agent, context, first, count);
        int observationSize = environment.observationSpace().size();
        this.segment = new Segment(count, steps, observationSize, policy);
        this.allowed = environment.newActionMasks();
        this.result = StepBatch.allocate(count, observationSize);
        this.observations = new float[count * observationSize];
        this.peekedValues = new float[count];
        this.episodeSteps = new int[count];
        this.discountedReturns = new float[count];
        this.episodeReturns = new double[count];
    }

    /** Starts every environment. */
    void reset() {
        environment.reset(seed, first, observations);
        checkFinite(observations, 0, "observation after reset");
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
        nanos += System.nanoTime() - start;
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
        policy.show(observations, episodeSteps);
        if (allowed.length > 0) {
            environment.actionMasks(allowed);
            policy.allow(allowed);
        }
        policy.sample(step, episodeSteps, seed, RandomStreams.actions(runStep));
        long before = System.nanoTime();
        environment.step(policy.choices(), policy.boundedActions(), result);
        environmentNanos += System.nanoTime() - before;
        checkFinite(result.observations(), runStep, "observation");
        checkFinite(result.rewards(), runStep, "reward");
        segment.played(step, observations, policy);
        record(step, runStep);
        nanos += System.nanoTime() - start;
        stop.played(count);
        return true;
    }

    /** Ends the segment, and uploads all of it but the rewards. */
    void finish(Rollout rollout) {
        long start = System.nanoTime();
        policy.show(observations, episodeSteps);
        policy.peek(steps, episodeSteps, peekedValues);
        segment.finish(peekedValues);
        policy.endSegment();
        segment.upload(agent.backend(), rollout, first);
        nanos += System.nanoTime() - start;
    }

    /** Time spent in steps of the environments, out of {@link #nanos}. */
    long environmentNanos() {
        return environmentNanos;
    }

    /** Time spent to play. */
    long nanos() {
        return nanos;
    }

    private void record(int step, long runStep) {
        float[] reported = environment.reportedRewards(result);
        boolean anyTruncated = false;
        for (int i = 0; i < count; i++) {
            float reward = result.rewards()[i];
            anyTruncated |= result.truncated()[i];
            episodeSteps[i]++;
            longestEpisode = Math.max(longestEpisode, episodeSteps[i]);
            episodeReturns[i] += reported[i];
            discountedReturns[i] = rewards.discount(discountedReturns[i], reward);
            segment.rewarded(step, i, reward, ended(i), discountedReturns[i]);
        }
        if (anyTruncated) {
            bootstrapTruncated(step, runStep);
        }
        for (int i = 0; i < count; i++) {
            if (ended(i)) {
                episodes.ended(episodeReturns[i], episodeSteps[i]);
                episodeReturns[i] = 0;
                discountedReturns[i] = 0;
                episodeSteps[i] = 0;
            }
        }
        System.arraycopy(result.observations(), 0, observations, 0, observations.length);
    }

    /** What follows a truncated episode still has value: that of its final observation. */
    private void bootstrapTruncated(int step, long runStep) {
        float[] finalObservations = result.finalObservations();
        int size = finalObservations.length / count;
        for (int i = 0; i < count; i++) {
            if (!result.truncated()[i]) {
                System.arraycopy(result.observations(), i * size, finalObservations, i * size, size);
            }
        }
        checkFinite(finalObservations, runStep, "final observation");
        policy.show(finalObservations, episodeSteps);
        policy.peek(step + 1, episodeSteps, peekedValues);
        for (int i = 0; i < count; i++) {
            if (result.truncated()[i]) {
                segment.truncated(step, i, peekedValues[i]);
            }
        }
    }

    private boolean ended(int i) {
        return result.terminated()[i] || result.truncated()[i];
    }

    private void checkFinite(float[] values, long runStep, String name) {
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                int size = values.length / count;
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
