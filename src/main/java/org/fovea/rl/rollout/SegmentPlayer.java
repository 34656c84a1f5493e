// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.List;
import java.util.Objects;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.EnvironmentActions;
import org.fovea.env.DeviceBatch;
import org.fovea.env.JoinedBatch;
import org.fovea.env.StepBatch;
import org.fovea.rl.policy.ActionBounds;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyRows;
import org.fovea.rl.policy.PolicyRunner;
import org.jspecify.annotations.Nullable;

/**
 * Plays some of a run's environments for a segment and records it. Players of a run work side by side: nothing here is
 * shared but what stands still while a segment is played.
 */
final class SegmentPlayer implements AutoCloseable {
    private final Agent agent;
    private final JoinedBatch environment;
    private final PolicyRunner policy;

    /** The environments where a kernel steps them, else null; and the bounds of their actions, where these are numbers. */
    private final @Nullable DeviceBatch device;

    private final @Nullable DeviceArray bounds;

    private final Turn whole;
    private final Segment segment;
    private final EpisodeLog episodes = new EpisodeLog();
    private final long seed;
    private final int steps;

    /** Index of the first environment among those of the run. */
    private final int first;

    private final int count;

    private final StepBatch result;
    private final float[] observations;

    /** Which choices the environments allow; empty where they allow all. */
    private final boolean[] allowed;

    private final int[] episodeSteps;
    private final double[] episodeReturns;
    private long environmentNanos;
    private long actingNanos;
    private int longestEpisode;

    /** Where the observations and actions of the last step are, if they differ: those of a device that steps environments. */
    private boolean hostIsNewer;

    private boolean deviceIsNewer;

    /**
     * A player of some environments.
     *
     * @param rollout of which it fills a part
     * @param first index of the environment's first member among those of the rollout
     * @param firstOfRun index of the rollout's first environment among those of the run
     */
    SegmentPlayer(
            Agent agent,
            ActorCritic.Context context,
            RewardNormalizer rewards,
            Rollout rollout,
            JoinedBatch environment,
            int first,
            int firstOfRun,
            long seed) {
        this.agent = agent;
        this.environment = environment;
        this.seed = seed;
        this.steps = rollout.steps();
        this.first = firstOfRun + first;
        this.count = environment.count();
        int observationSize = environment.observationSpace().size();
        this.device = environment.onDevice().orElse(null);
        this.segment = new Segment(
                agent.backend(),
                rollout,
                first,
                count,
                context.origin(),
                agent.observations(),
                observationSize,
                rewards);
        this.policy = new PolicyRunner(
                agent,
                context,
                first,
                count,
                segment,
                rewards.gamma(),
                seed,
                RandomStreams.EACH_STEP,
                device != null,
                this.first);
        ActionBounds bounds = device == null ? null : agent.bounds();
        this.bounds = bounds == null ? null : uploaded(bounds.range());
        this.allowed = environment.newActionMasks();
        this.result = StepBatch.allocate(count, observationSize);
        this.observations = new float[count * observationSize];
        this.episodeSteps = new int[count];
        this.episodeReturns = new double[count];
        this.whole = new Turn(environment.shares(false).get(0));
    }

    private DeviceArray uploaded(float[] numbers) {
        DeviceArray array =
                agent.backend().memory().allocate(agent.backend().memory().floatType(), numbers.length);
        agent.backend().memory().upload(numbers, 0, array);
        return array;
    }

    /** Starts every environment. */
    void reset() {
        environment.reset(seed, first, observations);
        hostIsNewer = true;
        checkFinite(observations, 0, count, 0, "observation after reset");
    }

    /**
     * Plays one segment, or as much of it as there is time for and leaves it there.
     *
     * @param firstStep number of steps that each environment of the run has taken before
     * @return whether the segment is complete
     */
    boolean collect(long firstStep, StopSignal stop) {
        if (device != null) {
            return collectOnDevice(device, firstStep, stop);
        }
        begin(firstStep);
        for (int step = 0; step < steps; step++) {
            if (!play(step, firstStep + step, stop)) {
                return false;
            }
        }
        finish();
        return true;
    }

    /** The same of environments that a kernel steps: the device plays the whole segment, and tells of rewards and ends. */
    private boolean collectOnDevice(DeviceBatch batch, long firstStep, StopSignal stop) {
        if (stop.now()) {
            return false;
        }
        long start = System.nanoTime();
        episodes.clear();
        segment.begin();
        policy.markSegment(episodeSteps, RandomStreams.actions(firstStep));
        batch.upload();
        if (hostIsNewer) {
            if (allowed.length > 0) {
                environment.actionMasks(allowed);
            }
            whole.rows.upload(observations, allowed);
            hostIsNewer = false;
        }
        boolean tanh = bounds != null && Objects.requireNonNull(agent.bounds()).isTanh();
        int actionSize = agent.distribution().actionSize();
        whole.rows.playSegment(
                steps,
                batch.timeLimit(),
                (actions, result) -> batch.launch(new EnvironmentActions<>(actionSize, actions, bounds, tanh), result));
        batch.stepped();
        deviceIsNewer = true;
        batch.check();
        float[] rewards = segment.rewards();
        float[] ended = segment.ended();
        for (int step = 0; step < steps; step++) {
            for (int i = 0; i < count; i++) {
                took(i, rewards[i * steps + step], ended[i * steps + step] != 0);
            }
        }
        stop.played(count * steps);
        environmentNanos = 0;
        actingNanos = System.nanoTime() - start;
        return true;
    }

    /**
     * Begins a segment.
     *
     * @param firstStep number of steps that each environment of the run has taken before
     */
    void begin(long firstStep) {
        long start = System.nanoTime();
        episodes.clear();
        segment.begin();
        policy.beginSegment(episodeSteps, RandomStreams.actions(firstStep));
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
        whole.act(step);
        long acted = System.nanoTime();
        environment.step(policy.choices(), policy.boundedValues(), result);
        long stepped = System.nanoTime();
        record(0, count, runStep, stop);
        environmentNanos += stepped - acted;
        actingNanos += acted - start + System.nanoTime() - stepped;
        return true;
    }

    /** Some of the environments, which step while the policy acts in others. */
    final class Turn {
        private final JoinedBatch.Share share;
        private final PolicyRows rows;
        private long begunNanos;
        private long startedNanos;
        private long endedNanos;

        private Turn(JoinedBatch.Share share) {
            this.share = share;
            this.rows = policy.rows(share.first(), share.end());
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
            act(step);
            begunNanos = System.nanoTime();
            actingNanos += begunNanos - start;
            share.start(policy.choices(), policy.boundedValues(), result);
            return true;
        }

        /** Waits for the end of a step, and records what came of it. */
        void end(int step, long runStep, StopSignal stop) {
            share.await();
            startedNanos = begunNanos;
            endedNanos = share.endedNanos();
            environmentNanos += endedNanos - startedNanos;
            long start = System.nanoTime();
            record(share.first(), share.end(), runStep, stop);
            actingNanos += System.nanoTime() - start;
        }

        /** Lets the policy act in step {@code step} of the segment. */
        private void act(int step) {
            if (!rows.isDelivered()) {
                show(step);
            }
            rows.sample();
        }

        /** Lets the policy take in the end of the segment's last step. */
        void receive() {
            long start = System.nanoTime();
            show(steps);
            rows.receive();
            actingNanos += System.nanoTime() - start;
        }

        /** Shows the policy what the environments are like before step {@code step} of the segment. */
        private void show(int step) {
            if (allowed.length > 0) {
                share.actionMasks(allowed);
            }
            if (step == 0) {
                rows.show(observations, allowed);
            } else {
                rows.show(observations, result, allowed);
            }
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

    /** Ends a segment that was played whole. */
    void finish() {
        whole.receive();
        finishTurns();
    }

    /** Ends a segment whose turns have {@linkplain Turn#receive received} the end. */
    void finishTurns() {
        long start = System.nanoTime();
        policy.endSegment();
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

    /** Takes in what environments {@code [from, to)} made of their actions. */
    private void record(int from, int to, long runStep, StopSignal stop) {
        checkFinite(result.observations(), from, to, runStep, "observation");
        checkFinite(result.rewards(), from, to, runStep, "reward");
        float[] reported = environment.reportedRewards(result);
        for (int i = from; i < to; i++) {
            if (result.truncated()[i]) {
                checkFinite(result.finalObservations(), i, i + 1, runStep, "final observation");
            }
            took(i, reported[i], result.truncated()[i] || result.terminated()[i]);
        }
        int size = observations.length / count;
        System.arraycopy(result.observations(), from * size, observations, from * size, (to - from) * size);
        stop.played(to - from);
    }

    /** Keeps score of a step of environment {@code i}. */
    private void took(int i, float reward, boolean ended) {
        episodeSteps[i]++;
        longestEpisode = Math.max(longestEpisode, episodeSteps[i]);
        episodeReturns[i] += reward;
        if (ended) {
            episodes.ended(episodeReturns[i], episodeSteps[i]);
            episodeReturns[i] = 0;
            episodeSteps[i] = 0;
        }
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

    /** Lets the agent's normalizer take in the observations that step {@code step} of the segment starts from. */
    void includeObservations(int step) {
        // Final observations are still seen by the moments before.
        whole.show(step);
        whole.rows.deliver();
        agent.observations().include(observations, count);
    }

    /** Lets the agent's normalizer take in the observations of the segment. */
    void includeSegment() {
        segment.includeIn(agent.observations());
    }

    /** Lets the run's normalizer take in the rewards of the segment. */
    void includeRewards(RewardNormalizer normalizer) {
        segment.includeIn(normalizer);
    }

    /** Normalizes the rewards of the segment. */
    void normalizeRewards(RewardNormalizer normalizer) {
        segment.normalizeRewards(normalizer);
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

    /** Writes the state of each environment, and where its episode stands. */
    void saveStates(DataOutput out) throws IOException {
        if (deviceIsNewer) {
            whole.rows.download(observations);
            deviceIsNewer = false;
        }
        float[] discountedReturns = new float[count];
        policy.discountedReturns(discountedReturns);
        int size = observations.length / count;
        int valueCount = policy.values().length / count;
        int parts = policy.choices().length / count;
        for (int i = 0; i < count; i++) {
            environment.saveState(i, out);
            for (int j = i * size; j < (i + 1) * size; j++) {
                out.writeFloat(observations[j]);
            }
            for (int j = i * parts; j < (i + 1) * parts; j++) {
                out.writeInt(policy.choices()[j]);
            }
            for (int j = i * valueCount; j < (i + 1) * valueCount; j++) {
                out.writeFloat(policy.values()[j]);
            }
            out.writeInt(episodeSteps[i]);
            out.writeFloat(discountedReturns[i]);
            out.writeDouble(episodeReturns[i]);
        }
    }

    /** Restores what was saved. */
    void restoreStates(DataInput in) throws IOException {
        float[] discountedReturns = new float[count];
        int size = observations.length / count;
        int valueCount = policy.values().length / count;
        int parts = policy.choices().length / count;
        for (int i = 0; i < count; i++) {
            environment.restoreState(i, in);
            for (int j = i * size; j < (i + 1) * size; j++) {
                observations[j] = in.readFloat();
            }
            for (int j = i * parts; j < (i + 1) * parts; j++) {
                policy.choices()[j] = in.readInt();
            }
            for (int j = i * valueCount; j < (i + 1) * valueCount; j++) {
                policy.values()[j] = in.readFloat();
            }
            episodeSteps[i] = in.readInt();
            discountedReturns[i] = in.readFloat();
            episodeReturns[i] = in.readDouble();
        }
        policy.restore(discountedReturns);
        hostIsNewer = true;
        deviceIsNewer = false;
    }

    /**
     * Starts every environment afresh in a run that goes on.
     *
     * @param runStep number of steps that each environment had taken
     */
    void restart(long runStep) {
        environment.reset(seed + runStep, first, observations);
        hostIsNewer = true;
        deviceIsNewer = false;
    }

    @Override
    public void close() {
        if (bounds != null) {
            bounds.release();
        }
        try (segment) {
            policy.close();
        }
    }
}
