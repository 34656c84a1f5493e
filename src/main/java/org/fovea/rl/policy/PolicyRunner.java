// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepClock;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Applies a policy to {@code count} environments at once. All that it needs from step to step is on the device: where each
 * environment stands, what was done last, what the network remembers. So a step is one upload of what the environments showed, one
 * captured step, and one download of actions.
 */
public final class PolicyRunner implements AutoCloseable {
    /** Most steps that are set aside at a time where environments play on the host. */
    private static final int MOST_PLACES = 64;

    /** Largest number that is added to a random stream's. */
    private static final long LARGEST_COUNTER = 1 << 30;

    final Backend backend;
    final Agent agent;
    private final ActorCritic.Context context;
    final ActorCritic.Actor actor;
    final @Nullable StepRecorder recorder;
    final int origin;
    final int streams;
    final float gamma;
    final long seed;
    final int firstDraw;
    final int count;

    final OwnedArrays owned;
    final StepClock clock;
    final DeviceArray ended;
    final DeviceArray returns;
    final DeviceArray tokens;
    final DeviceArray actions;
    final DeviceArray masks;

    /** Null if nothing is recorded. */
    final @Nullable CutEpisodes cutEpisodes;

    private final List<PolicyRows> all = new ArrayList<>();
    private final int[] ages;

    final int[] choices;
    final float[] values;
    final float[] boundedValues;

    /** [count, outputs] and [count]: what the network gave last; null if nobody asks. */
    private @Nullable DeviceArray outputs;

    private @Nullable DeviceArray stateValues;

    private @Nullable CapturedStep renewing;

    /** Number of the random stream to which those of captured steps are added. */
    long baseStream = Long.MIN_VALUE;

    /**
     * A runner for environments {@code [first, first + count)} of a run, which decide what they draw.
     *
     * @param recorder null if nothing is recorded
     * @param gamma by which later rewards count less
     * @param seed of what is drawn
     * @param streams by which the random stream of a step differs from that of the step before
     * @param wholeSegments whether {@link PolicyRows#playSegment} will be called
     */
    public PolicyRunner(
            Agent agent,
            ActorCritic.Context context,
            int first,
            int count,
            @Nullable StepRecorder recorder,
            float gamma,
            long seed,
            int streams,
            boolean wholeSegments) {
        this(agent, context, first, count, recorder, gamma, seed, streams, wholeSegments, first);
    }

    /**
     * The same for environments whose place in the context is not that in the run.
     *
     * @param firstDraw number of the first environment in the run, which decides what is drawn for it
     */
    public PolicyRunner(
            Agent agent,
            ActorCritic.Context context,
            int first,
            int count,
            @Nullable StepRecorder recorder,
            float gamma,
            long seed,
            int streams,
            boolean wholeSegments,
            int firstDraw) {
        this.backend = agent.backend();
        this.agent = agent;
        this.context = context;
        this.recorder = recorder;
        int places = recorder == null ? 0 : wholeSegments ? count : Math.min(count, MOST_PLACES);
        this.actor = context.actor(first, count, places);
        this.origin = context.origin();
        this.streams = streams;
        this.gamma = gamma;
        this.seed = seed;
        this.firstDraw = firstDraw;
        this.count = count;
        ActionDistribution distribution = agent.distribution();
        this.owned = new OwnedArrays(backend.memory());
        this.clock = owned.clock(count);
        this.ended = owned.floats(count);
        this.returns = owned.floats(count);
        this.tokens = owned.floats((long) count * agent.encoder().size());
        this.actions = owned.allocate(distribution.actionType(), (long) count * distribution.actionSize());
        this.masks = owned.floats(distribution.masked() ? (long) count * distribution.outputs() : 0);
        this.cutEpisodes =
                recorder == null ? null : new CutEpisodes(agent, actor, recorder, origin, count, places, actions);
        this.ages = new int[count];
        int numbers = count * distribution.actionSize();
        boolean choosing = agent.bounds() == null;
        this.choices = new int[choosing ? numbers : 0];
        this.values = new float[choosing ? 0 : numbers];
        this.boundedValues = new float[values.length];
    }

    /** Environments {@code [from, to)} of these, which may be at another step than the rest. */
    public PolicyRows rows(int from, int to) {
        PolicyRows rows = new PolicyRows(this, from, to);
        all.add(rows);
        return rows;
    }

    /**
     * Begins a segment whose steps are taken one by one.
     *
     * @param episodeSteps steps that each environment has taken in its episode
     * @param stream the random stream of the segment's first step
     */
    public void beginSegment(int[] episodeSteps, long stream) {
        markSegment(episodeSteps, stream);
        actor.beginSegment();
    }

    /**
     * Says where a segment begins.
     *
     * @param episodeSteps steps that each environment has taken in its episode
     * @param stream the random stream of the segment's first step
     */
    public void markSegment(int[] episodeSteps, long stream) {
        for (int i = 0; i < count; i++) {
            ages[i] = episodeSteps[i] + 1;
        }
        backend.memory().upload(ages, 0, clock.ages());
        backend.memory().fill(clock.positions(), origin - 1.0);
        backend.memory().fill(clock.episodes(), 0);
        if (baseStream == Long.MIN_VALUE || stream - baseStream > LARGEST_COUNTER) {
            baseStream = stream;
            all.forEach(PolicyRows::forget);
        }
        // By index: an iterator would be all that a session allocates.
        for (int i = 0; i < all.size(); i++) {
            all.get(i).beginAt(stream - baseStream - streams);
        }
        actor.mark(episodeSteps);
    }

    /**
     * Goes on from a segment that nothing is learned from to the next.
     *
     * @param episodeSteps steps that each environment has taken in its episode
     * @param stream the random stream of the next segment's first step
     */
    public void renewSegment(int[] episodeSteps, long stream) {
        markSegment(episodeSteps, stream);
        if (renewing == null) {
            renewing = captured(() -> {
                context.advance();
                actor.beginSegment();
            });
        }
        renewing.replay();
    }

    /**
     * Prepares for acting alone, for long and without learning: steps are recorded, and {@link #outputs} and {@link #stateValues} can be
     * asked for. Called before the first step; all rows are shown in each.
     */
    public void actAlone() {
        outputs = owned.floats((long) count * agent.distribution().outputs());
        stateValues = owned.floats(count);
    }

    /** The numbers that determine the distributions of actions, forbidden choices included; [count, outputs]. */
    public void outputs(float[] target) {
        backend.memory().download(Objects.requireNonNull(outputs), target, 0);
    }

    /** The values of what was observed, [count]. */
    public void stateValues(float[] target) {
        backend.memory().download(Objects.requireNonNull(stateValues), target, 0);
    }

    CapturedStep captured(Runnable body) {
        return outputs == null ? backend.capture(body) : backend.record(body);
    }

    void keep(Tensor policy, Tensor values) {
        if (outputs != null && stateValues != null) {
            backend.memory().copy(policy.array(), outputs);
            backend.memory().copy(values.array(), stateValues);
        }
    }

    /** Ends a segment, of which all rows have {@linkplain PolicyRows#receive received} what came last. */
    public void endSegment() {
        if (recorder != null && cutEpisodes != null) {
            peek(recorder);
            cutEpisodes.recall();
        }
        actor.endSegment();
    }

    void peek(StepRecorder values) {
        try (Tape tape = Tape.inference(backend)) {
            values.following(actor.peek(shown(tape), clock).values());
        }
    }

    Tensor shown(Tape tape) {
        return tape.constant(tokens, count, agent.encoder().size());
    }

    /** The discounted returns of the episodes so far, to be kept. */
    public void discountedReturns(float[] target) {
        backend.memory().download(clock.discountedReturns(), target, 0);
    }

    /** Goes on from what was kept: the last actions are those in {@link #choices} or {@link #values}. */
    public void restore(float[] discountedReturns) {
        backend.memory().upload(discountedReturns, 0, clock.discountedReturns());
        if (agent.bounds() == null) {
            backend.memory().upload(choices, 0, actions);
        } else {
            backend.memory().upload(values, 0, actions);
        }
    }

    /**
     * What the network was given last.
     *
     * @param target written from {@code offset} on, [count, {@link StepEncoder#size()}]
     */
    public void inputs(float[] target, int offset) {
        backend.memory().download(tokens, target, offset);
    }

    /** [count, parts of an action], if choices are made. */
    public int[] choices() {
        return choices;
    }

    /** [count, action size] as drawn, if vectors are given. */
    public float[] values() {
        return values;
    }

    /** {@link #values} as environments are given them. */
    public float[] boundedValues() {
        return boundedValues;
    }

    @Override
    public void close() {
        all.forEach(PolicyRows::close);
        if (renewing != null) {
            renewing.close();
        }
        if (cutEpisodes != null) {
            cutEpisodes.close();
        }
        owned.close();
    }
}
