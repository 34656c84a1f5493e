package org.fovea.rl;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;

/**
 * Plays some of a run's environments for a segment and records it. Collectors of a run work side by side: nothing here is
 * shared but what stands still while a segment is played.
 */
final class Collector {
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
    private final int[] episodeSteps;
    private final float[] discountedReturns;
    private final double[] episodeReturns;

    /** @param first index of the environment's first member among those of the run */
    Collector(
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
        this.segment =
                new Segment(count, steps, observationSize, agent.encoder().size(), policy.actions().length / count);
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
     * Plays one segment and uploads it.
     *
     * @param firstStep number of steps that each environment of the run has taken before
     */
    void collect(Rollout rollout, long firstStep) {
        episodes.clear();
        policy.beginSegment(episodeSteps);
        for (int step = 0; step < steps; step++) {
            long runStep = firstStep + step;
            policy.show(observations, episodeSteps);
            policy.sample(step, episodeSteps, seed, RandomStreams.actions(runStep));
            environment.step(policy.choices(), policy.actions(), result);
            checkFinite(result.observations(), runStep, "observation");
            checkFinite(result.rewards(), runStep, "reward");
            segment.played(step, observations, policy);
            record(step, runStep);
        }
        policy.show(observations, episodeSteps);
        policy.peek(steps, episodeSteps, peekedValues);
        segment.finish(peekedValues);
        policy.endSegment();
        segment.upload(agent.backend(), rollout, first);
    }

    private void record(int step, long runStep) {
        boolean anyTruncated = false;
        for (int i = 0; i < count; i++) {
            float reward = result.rewards()[i];
            anyTruncated |= result.truncated()[i];
            episodeSteps[i]++;
            episodeReturns[i] += reward;
            discountedReturns[i] = rewards.discount(discountedReturns[i], reward);
            segment.rewarded(step, i, rewards.normalize(reward), ended(i), discountedReturns[i]);
        }
        if (anyTruncated) {
            bootstrapTruncated(step, runStep);
        }
        for (int i = 0; i < count; i++) {
            if (ended(i)) {
                episodes.ended(episodeReturns[i]);
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

    /** Lets the normalizers take in the segment. */
    void updateNormalizers() {
        segment.includeIn(agent.observations(), rewards);
    }

    /** Episodes that ended in the last segment, in order of time. */
    EpisodeLog episodes() {
        return episodes;
    }

    boolean canSaveState() {
        return environment.canSaveState();
    }

    /** Writes the environments' state, if they can, and where their episodes stand. */
    void saveState(DataOutput out) throws IOException {
        if (environment.canSaveState()) {
            environment.saveState(out);
        }
        for (float value : observations) {
            out.writeFloat(value);
        }
        for (int choice : policy.choices()) {
            out.writeInt(choice);
        }
        for (float value : policy.actions()) {
            out.writeFloat(value);
        }
        for (int i = 0; i < count; i++) {
            out.writeInt(episodeSteps[i]);
            out.writeFloat(discountedReturns[i]);
            out.writeDouble(episodeReturns[i]);
        }
    }

    /**
     * Restores what was saved. Environments that could not save their state are started anew.
     *
     * @param runStep number of steps that each environment had taken
     */
    void restoreState(DataInput in, long runStep) throws IOException {
        if (!environment.canSaveState()) {
            environment.reset(seed + runStep, first, observations);
            return;
        }
        environment.restoreState(in);
        for (int i = 0; i < observations.length; i++) {
            observations[i] = in.readFloat();
        }
        for (int i = 0; i < policy.choices().length; i++) {
            policy.choices()[i] = in.readInt();
        }
        for (int i = 0; i < policy.actions().length; i++) {
            policy.actions()[i] = in.readFloat();
        }
        for (int i = 0; i < count; i++) {
            episodeSteps[i] = in.readInt();
            discountedReturns[i] = in.readFloat();
            episodeReturns[i] = in.readDouble();
        }
    }
}
