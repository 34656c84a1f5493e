// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepInputs;
import org.fovea.env.StepBatch;
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

    private final Backend backend;
    private final Agent agent;
    private final ActorCritic.Context context;
    private final ActorCritic.Actor actor;
    private final @Nullable StepRecorder recorder;
    private final int origin;
    private final int streams;
    private final float gamma;
    private final long seed;
    private final int firstDraw;
    private final int count;

    private final OwnedArrays owned;
    private final StepClock clock;
    private final DeviceArray ended;
    private final DeviceArray returns;
    private final DeviceArray tokens;
    private final DeviceArray actions;
    private final DeviceArray masks;

    /** Null if nothing is recorded. */
    private final @Nullable CutEpisodes cutEpisodes;

    private final List<Rows> all = new ArrayList<>();
    private final int[] ages;

    private final int[] choices;
    private final float[] values;
    private final float[] boundedValues;

    /** [count, outputs] and [count]: what the network gave last; null if nobody asks. */
    private @Nullable DeviceArray outputs;

    private @Nullable DeviceArray stateValues;

    private @Nullable CapturedStep renewing;

    /** Number of the random stream to which those of captured steps are added. */
    private long baseStream = Long.MIN_VALUE;

    /**
     * A runner for environments {@code [first, first + count)} of a run, which decide what they draw.
     *
     * @param recorder null if nothing is recorded
     * @param gamma by which later rewards count less
     * @param seed of what is drawn
     * @param streams by which the random stream of a step differs from that of the step before
     * @param wholeSegments whether {@link Rows#playSegment} will be called
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
    public Rows rows(int from, int to) {
        Rows rows = new Rows(from, to);
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
            all.forEach(Rows::forget);
        }
        // By index: an iterator would be all that a session allocates.
        for (int i = 0; i < all.size(); i++) {
            backend.memory().fill(all.get(i).clock.stream(), stream - baseStream - streams);
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

    private CapturedStep captured(Runnable body) {
        return outputs == null ? backend.capture(body) : backend.record(body);
    }

    private void keep(Tensor policy, Tensor values) {
        if (outputs != null && stateValues != null) {
            backend.memory().copy(policy.array(), outputs);
            backend.memory().copy(values.array(), stateValues);
        }
    }

    /** Ends a segment, of which all rows have {@linkplain Rows#receive received} what came last. */
    public void endSegment() {
        if (recorder != null && cutEpisodes != null) {
            peek(recorder);
            cutEpisodes.recall();
        }
        actor.endSegment();
    }

    private void peek(StepRecorder values) {
        try (Tape tape = Tape.inference(backend)) {
            values.following(actor.peek(shown(tape), clock).values());
        }
    }

    private Tensor shown(Tape tape) {
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
        all.forEach(Rows::close);
        if (renewing != null) {
            renewing.close();
        }
        if (cutEpisodes != null) {
            cutEpisodes.close();
        }
        owned.close();
    }

    /** Some of the environments: what they showed last, and the steps that are captured for them. */
    public final class Rows {
        private final int from;
        private final int to;
        private final StepUploads uploads;
        private final StepArrays<DeviceArray> step;
        private final StepClock clock;
        private final DeviceArray numbers;
        private final DeviceArray myActions;
        private boolean delivered;
        private @Nullable CapturedStep sampling;
        private @Nullable CapturedStep choosing;
        private @Nullable CapturedStep following;

        /** [to - from, action size], what is done in place of what the policy would do; null where it acts itself. */
        private @Nullable DeviceArray given;

        private @Nullable CapturedStep settingAside;
        private @Nullable CapturedStep playing;

        private Rows(int from, int to) {
            this.from = from;
            this.to = to;
            this.uploads = new StepUploads(agent, from, to);
            this.step = uploads.step();
            this.clock = PolicyRunner.this.clock.rows(from, to, owned.integers(1));
            this.numbers = owned.integers(to - from);
            this.myActions = mine(actions);
        }

        /**
         * Shows what came of the step before.
         *
         * @param observations to act on, of all environments of the runner, like the rest
         * @param allowed choices; empty where none is ever forbidden
         */
        public void show(float[] observations, StepBatch outcome, boolean[] allowed) {
            uploads.putOutcome(outcome, recorder != null);
            uploads.putObservations(observations, allowed);
        }

        /** Shows what is to be acted on first in a segment. */
        public void show(float[] observations, boolean[] allowed) {
            uploads.putObservations(observations, allowed);
        }

        /** Brings what was shown to the device, and sets aside what would have followed in episodes that were cut. */
        public void deliver() {
            delivered = true;
            int cut = uploads.upload();
            for (int done = 0; done < cut; ) {
                CutEpisodes episodes = Objects.requireNonNull(cutEpisodes);
                if (settingAside == null) {
                    settingAside = captured(() -> episodes.putOnDevice(step, clock, numbers, from, to));
                }
                done += episodes.put(settingAside, cut - done, done);
            }
        }

        private void deliverOnce() {
            if (!delivered) {
                deliver();
            }
            delivered = false;
        }

        /** Whether what was shown is there already, and has yet to be acted on. */
        public boolean isDelivered() {
            return delivered;
        }

        /** Takes in what came of the last step of a segment. */
        public void receive() {
            deliverOnce();
            receiveOnDevice();
        }

        private void receiveOnDevice() {
            int rows = to - from;
            backend.rl()
                    .advance(step, clock, origin, streams, gamma, ended.slice(from, rows), returns.slice(from, rows));
            if (recorder != null) {
                recorder.outcome(
                        from,
                        to,
                        clock.positions(),
                        step.rewards(),
                        ended.slice(from, rows),
                        returns.slice(from, rows));
            }
            StepInputs inputs =
                    new StepInputs(rows, step.observations(), mine(actions), clock.ages(), 0, step.actionMasks());
            agent.encoder().encode(inputs, mine(tokens));
            agent.encoder().encodeMasks(inputs, mine(masks));
        }

        /** These rows of an array of all. */
        private DeviceArray mine(DeviceArray ofAll) {
            long width = ofAll.length() / count;
            return ofAll.slice(from * width, (to - from) * width);
        }

        /** Draws actions. */
        public void sample() {
            deliverOnce();
            if (sampling == null) {
                sampling = captured(this::sampleOnDevice);
            }
            sampling.replay();
            download();
        }

        /** All are computed, as a product of other shapes might round otherwise. */
        private void sampleOnDevice() {
            receiveOnDevice();
            try (Tape tape = Tape.inference(backend)) {
                ActorCritic.Outputs outputs = actor.act(shown(tape), PolicyRunner.this.clock, from, to);
                DeviceArray drawn = drawn(tape);
                DeviceArray logProbs = tape.allocate(backend.memory().floatType(), count);
                RandomRange draw = new RandomRange(seed, baseStream, firstDraw, clock.stream());
                Tensor restricted = restricted(outputs.policy());
                agent.distribution().sample(backend, restricted, draw, drawn, logProbs);
                keep(drawn);
                PolicyRunner.this.keep(restricted, outputs.values());
                if (recorder != null) {
                    record(recorder, outputs, mine(logProbs));
                }
            }
        }

        /** Brings to the device what is to be acted on first in a {@link #playSegment}. */
        public void upload(float[] observations, boolean[] allowed) {
            show(observations, allowed);
            uploads.upload();
        }

        /** Brings to the host what environments show, and the last actions: to {@link #choices} or {@link #values}. */
        public void download(float[] observations) {
            backend.memory().download(step.observations(), observations, from * step.size());
            download();
        }

        /**
         * Plays a whole segment of environments that step on the device, as one captured step; {@link PolicyRunner#markSegment} comes before.
         *
         * @param timeLimit steps after which an episode is cut, at the earliest
         * @param environments lets them take a step by the given actions, [count, action size], and write what comes of it
         */
        public void playSegment(
                int steps, int timeLimit, BiConsumer<DeviceArray, StepArrays<DeviceArray>> environments) {
            if (playing == null) {
                StepRecorder values = Objects.requireNonNull(recorder);
                CutEpisodes episodes = Objects.requireNonNull(cutEpisodes);
                playing = captured(() -> {
                    actor.beginSegment();
                    episodes.emptyOnDevice();
                    for (int played = 1; played <= steps; played++) {
                        sampleOnDevice();
                        environments.accept(actions, step);
                        episodes.putOnDevice(step, clock, numbers, from, to);
                        // Within so many steps an episode is cut once at most, so that there is a place for each.
                        if (played % timeLimit == 0 || played == steps) {
                            episodes.recallOnDevice();
                            episodes.emptyOnDevice();
                        }
                    }
                    receiveOnDevice();
                    peek(values);
                    actor.endSegment();
                });
            }
            playing.replay();
        }

        /** Takes the most likely actions. */
        public void chooseBest() {
            deliverOnce();
            if (choosing == null) {
                choosing = captured(this::chooseOnDevice);
            }
            choosing.replay();
            download();
        }

        /**
         * Does what is given, as if the policy had drawn it, and records that; one of the two is empty.
         *
         * @param givenChoices [count, parts]
         * @param givenNumbers [count, size]
         */
        public void follow(int[] givenChoices, float[] givenNumbers) {
            deliverOnce();
            DeviceArray target = given;
            if (target == null) {
                target = owned.allocate(actions.dtype(), myActions.length());
                given = target;
            }
            int offset = from * agent.distribution().actionSize();
            if (agent.bounds() == null) {
                backend.memory().upload(givenChoices, offset, target);
            } else {
                backend.memory().upload(givenNumbers, offset, target);
            }
            if (following == null) {
                following = captured(this::followOnDevice);
            }
            following.replay();
        }

        private void followOnDevice() {
            StepRecorder follower = Objects.requireNonNull(recorder);
            receiveOnDevice();
            try (Tape tape = Tape.inference(backend)) {
                ActorCritic.Outputs outputs = actor.act(shown(tape), PolicyRunner.this.clock, from, to);
                backend.memory().copy(Objects.requireNonNull(given), mine(actions));
                record(follower, outputs, tape.result(to - from).array());
            }
        }

        private void record(StepRecorder to, ActorCritic.Outputs outputs, DeviceArray logProbs) {
            to.acted(
                    from,
                    this.to,
                    clock.positions(),
                    new StepRecorder.Acted(
                            step.observations(),
                            mine(tokens),
                            mine(actions),
                            masks.length() == 0 ? null : mine(masks),
                            logProbs,
                            mine(outputs.values().array())));
        }

        private void chooseOnDevice() {
            receiveOnDevice();
            try (Tape tape = Tape.inference(backend)) {
                ActorCritic.Outputs outputs = actor.act(shown(tape), PolicyRunner.this.clock, from, to);
                DeviceArray best = drawn(tape);
                Tensor restricted = restricted(outputs.policy());
                agent.distribution().mostLikely(backend, restricted, best);
                keep(best);
                PolicyRunner.this.keep(restricted, outputs.values());
            }
        }

        private Tensor restricted(Tensor outputs) {
            return agent.distribution()
                    .restrict(
                            outputs, masks.length() == 0 ? null : outputs.tape().constant(masks, outputs.shape()));
        }

        private DeviceArray drawn(Tape tape) {
            return to - from == count ? actions : tape.allocate(actions.dtype(), actions.length());
        }

        private void keep(DeviceArray drawn) {
            if (drawn != actions) {
                backend.memory().copy(mine(drawn), mine(actions));
            }
        }

        private void download() {
            int size = agent.distribution().actionSize();
            ActionBounds bounds = agent.bounds();
            if (bounds == null) {
                backend.memory().download(myActions, choices, from * size);
            } else {
                backend.memory().download(myActions, values, from * size);
                bounds.apply(values, boundedValues, from * size, to * size);
            }
        }

        /** Captured steps are to be captured anew. */
        private void forget() {
            for (CapturedStep captured : new CapturedStep[] {sampling, choosing, following, settingAside, playing}) {
                if (captured != null) {
                    captured.close();
                }
            }
            sampling = null;
            choosing = null;
            following = null;
            settingAside = null;
            playing = null;
        }

        private void close() {
            forget();
            uploads.close();
        }
    }
}
