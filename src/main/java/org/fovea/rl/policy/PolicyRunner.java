// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.UploadBlock;
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
    /** Largest number that is added to a random stream's. */
    private static final long LARGEST_COUNTER = 1 << 30;

    private final Backend backend;
    private final Agent agent;
    private final ActorCritic.Actor actor;
    private final @Nullable StepRecorder recorder;
    private final int origin;
    private final int streams;
    private final float gamma;
    private final long seed;
    private final int first;
    private final int count;

    private final List<DeviceArray> owned = new ArrayList<>();
    private final StepClock clock;
    private final DeviceArray ended;
    private final DeviceArray returns;
    private final DeviceArray tokens;
    private final DeviceArray actions;
    private final DeviceArray masks;
    private final SetAside aside;
    private final List<Rows> all = new ArrayList<>();
    private final int[] ages;

    private final int[] choices;
    private final float[] values;
    private final float[] boundedValues;

    /** Number of the random stream to which those of captured steps are added. */
    private long baseStream = Long.MIN_VALUE;

    /**
     * A runner for environments {@code [first, first + count)} of a run, which decide what they draw.
     *
     * @param recorder null if nothing is recorded
     * @param gamma by which later rewards count less
     * @param seed of what is drawn
     * @param streams by which the random stream of a step differs from that of the step before
     */
    public PolicyRunner(
            Agent agent,
            ActorCritic.Context context,
            int first,
            int count,
            @Nullable StepRecorder recorder,
            float gamma,
            long seed,
            int streams) {
        this.backend = agent.backend();
        this.agent = agent;
        this.actor = context.actor(first, count);
        this.recorder = recorder;
        this.origin = context.origin();
        this.streams = streams;
        this.gamma = gamma;
        this.seed = seed;
        this.first = first;
        this.count = count;
        ActionDistribution distribution = agent.distribution();
        this.clock = newClock(count);
        this.ended = floats(count);
        this.returns = floats(count);
        this.tokens = floats((long) count * agent.encoder().size());
        this.actions = allocate(distribution.actionType(), (long) count * distribution.actionSize());
        this.masks = floats(distribution.masked() ? (long) count * distribution.outputs() : 0);
        this.aside = new SetAside();
        this.ages = new int[count];
        int numbers = count * distribution.actionSize();
        boolean choosing = agent.bounds() == null;
        this.choices = new int[choosing ? numbers : 0];
        this.values = new float[choosing ? 0 : numbers];
        this.boundedValues = new float[values.length];
    }

    private DeviceArray allocate(DType type, long length) {
        DeviceArray array = backend.memory().allocate(type, length);
        owned.add(array);
        return array;
    }

    private DeviceArray floats(long length) {
        return allocate(backend.memory().floatType(), length);
    }

    private StepClock newClock(int environments) {
        StepClock made = new StepClock(
                allocate(DType.I32, environments),
                allocate(DType.I32, environments),
                allocate(DType.I32, environments),
                floats(environments),
                allocate(DType.I32, 1));
        backend.memory().fill(made.ages(), 1);
        return made;
    }

    /** Environments {@code [from, to)} of these, which may be at another step than the rest. */
    public Rows rows(int from, int to) {
        Rows rows = new Rows(from, to);
        all.add(rows);
        return rows;
    }

    /**
     * Begins a segment.
     *
     * @param episodeSteps steps that each environment has taken in its episode
     * @param stream the random stream of the segment's first step
     */
    public void beginSegment(int[] episodeSteps, long stream) {
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
        for (Rows rows : all) {
            backend.memory().fill(rows.clock.stream(), stream - baseStream - streams);
        }
        actor.beginSegment(episodeSteps);
    }

    /** Ends a segment, of which all rows have {@linkplain Rows#receive received} what came last. */
    public void endSegment() {
        if (recorder != null) {
            try (Tape tape = Tape.inference(backend)) {
                recorder.following(actor.peek(shown(tape), clock).values().array());
            }
            aside.recall();
        }
        actor.endSegment();
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
        aside.close();
        owned.forEach(DeviceArray::release);
    }

    /** Some of the environments: what they showed last, and the steps that are captured for them. */
    public final class Rows {
        private static final int FINAL_OBSERVATIONS = 5;

        private final int from;
        private final int to;
        private final int observationSize = agent.spaces().observations().size();
        private final int allowedSize = agent.spaces().masked() ? allowedChoices() : 0;
        private final UploadBlock block;
        private final StepArrays<DeviceArray> step;
        private final StepClock clock;
        private final DeviceArray numbers;
        private int cut;
        private @Nullable CapturedStep sampling;
        private @Nullable CapturedStep choosing;
        private @Nullable CapturedStep settingAside;

        private Rows(int from, int to) {
            this.from = from;
            this.to = to;
            int rows = to - from;
            DType floats = backend.memory().floatType();
            this.block = backend.memory()
                    .allocateUploads(new DType[] {floats, floats, DType.I32, DType.I32, DType.I32, floats}, new int[] {
                        rows * observationSize, rows, rows, rows, rows * allowedSize, rows * observationSize
                    });
            this.step = new StepArrays<>(
                    rows,
                    observationSize,
                    block.array(0),
                    block.array(1),
                    block.array(2),
                    block.array(3),
                    block.array(FINAL_OBSERVATIONS),
                    allowedSize == 0 ? null : block.array(4));
            this.clock = PolicyRunner.this.clock.rows(from, to, allocate(DType.I32, 1));
            this.numbers = allocate(DType.I32, rows);
        }

        private int allowedChoices() {
            int most = 0;
            for (int choice : agent.distribution().choiceOfOutput()) {
                most = Math.max(most, choice + 1);
            }
            return most;
        }

        /**
         * Shows what came of the step before.
         *
         * @param observations to act on, of all environments of the runner, like the rest
         * @param allowed choices; empty where none is ever forbidden
         */
        public void show(float[] observations, StepBatch outcome, boolean[] allowed) {
            int rows = to - from;
            block.put(1, 0, outcome.rewards(), from, rows);
            block.put(2, 0, outcome.terminated(), from, rows);
            block.put(3, 0, outcome.truncated(), from, rows);
            cut = 0;
            for (int i = from; i < to && recorder != null; i++) {
                if (outcome.truncated()[i]) {
                    block.put(
                            FINAL_OBSERVATIONS,
                            (i - from) * observationSize,
                            outcome.finalObservations(),
                            i * observationSize,
                            observationSize);
                    cut++;
                }
            }
            show(observations, allowed);
        }

        /** Shows what is to be acted on first in a segment. */
        public void show(float[] observations, boolean[] allowed) {
            int rows = to - from;
            block.put(0, 0, observations, from * observationSize, rows * observationSize);
            block.put(4, 0, allowed, from * allowedSize, rows * allowedSize);
        }

        /** Brings what was shown to the device, and sets aside what would have followed in episodes that were cut. */
        private void deliver() {
            block.upload(cut > 0 ? FINAL_OBSERVATIONS + 1 : FINAL_OBSERVATIONS);
            for (int done = 0; done < cut; ) {
                if (settingAside == null) {
                    settingAside = backend.capture(() -> aside.put(step, clock, numbers, from, to));
                }
                done += aside.take(settingAside, cut - done, done);
            }
            cut = 0;
        }

        /** Takes in what came of the last step of a segment. */
        public void receive() {
            deliver();
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
                    new StepInputs(rows, step.observations(), mine(actions), clock.ages(), step.actionMasks());
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
            deliver();
            if (sampling == null) {
                sampling = backend.capture(this::sampleOnDevice);
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
                RandomRange draw = new RandomRange(seed, baseStream, first, clock.stream());
                agent.distribution().sample(backend, restricted(outputs.policy()), draw, drawn, logProbs);
                keep(drawn);
                if (recorder != null) {
                    recorder.acted(
                            from,
                            to,
                            clock.positions(),
                            new StepRecorder.Acted(
                                    step.observations(),
                                    mine(tokens),
                                    mine(actions),
                                    masks.length() == 0 ? null : mine(masks),
                                    mine(logProbs),
                                    mine(outputs.values().array())));
                }
            }
        }

        /** Takes the most likely actions. */
        public void chooseBest() {
            deliver();
            if (choosing == null) {
                choosing = backend.capture(this::chooseOnDevice);
            }
            choosing.replay();
            download();
        }

        private void chooseOnDevice() {
            receiveOnDevice();
            try (Tape tape = Tape.inference(backend)) {
                ActorCritic.Outputs outputs = actor.act(shown(tape), PolicyRunner.this.clock, from, to);
                DeviceArray best = drawn(tape);
                agent.distribution().mostLikely(backend, restricted(outputs.policy()), best);
                keep(best);
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
                backend.memory().download(mine(actions), choices, from * size);
            } else {
                backend.memory().download(mine(actions), values, from * size);
                bounds.apply(values, boundedValues, from * size, to * size);
            }
        }

        /** Captured steps are to be captured anew. */
        private void forget() {
            for (CapturedStep captured : new CapturedStep[] {sampling, choosing, settingAside}) {
                if (captured != null) {
                    captured.close();
                }
            }
            sampling = null;
            choosing = null;
            settingAside = null;
        }

        private void close() {
            forget();
            block.close();
        }
    }

    /**
     * Places for what would have followed in episodes that were cut, which still has value: many are computed at a time. All places
     * are, so that no value depends on how many are in use.
     */
    private final class SetAside {
        private final int places = recorder == null ? 0 : Trunk.Player.places(count);
        private final StepClock clock = newClock(places);
        private final DeviceArray environments = allocate(DType.I32, places);
        private final DeviceArray indices = allocate(DType.I32, count);
        private final DeviceArray observations =
                floats((long) places * agent.spaces().observations().size());
        private final DeviceArray actions = allocate(
                agent.distribution().actionType(),
                (long) places * agent.distribution().actionSize());
        private final DeviceArray next = allocate(DType.I32, 1);

        /** A step that ends nothing. */
        private final DeviceArray nothing = allocate(DType.I32, places);

        private final DeviceArray noReward = floats(places);
        private final DeviceArray scratch = floats(2L * places);
        private int used;
        private @Nullable CapturedStep recalling;

        SetAside() {
            backend.memory().fill(environments, -1);
            backend.math().iota(0, 1, indices);
        }

        /** Puts what was cut in the next places; what finds none is left for later. */
        void put(StepArrays<DeviceArray> step, StepClock ofRows, DeviceArray numbers, int from, int to) {
            backend.rl().enumerate(step.truncated(), next, numbers);
            RowPlaces where = RowPlaces.in(numbers, places);
            int size = agent.distribution().actionSize();
            backend.math()
                    .placeRows(
                            where,
                            List.of(
                                    new TableRows(observations, step.size(), step.finalObservations()),
                                    new TableRows(
                                            actions,
                                            size,
                                            PolicyRunner.this.actions.slice(
                                                    (long) from * size, (long) (to - from) * size)),
                                    new TableRows(clock.positions(), 1, ofRows.positions()),
                                    new TableRows(clock.ages(), 1, ofRows.ages()),
                                    new TableRows(environments, 1, indices.slice(from, to - from))));
            List<TableRows> memory = actor.setAside(from, to);
            if (!memory.isEmpty()) {
                backend.math().placeRows(where, memory);
            }
        }

        /** Puts as many of the last {@code number} that were cut, of which {@code done} are before, as there is room for. */
        int take(CapturedStep putting, int number, int done) {
            int taken = Math.min(number, places - used);
            backend.memory().fill(next, used - done);
            putting.replay();
            used += taken;
            if (used == places) {
                recall();
            }
            return taken;
        }

        /** Computes the values of what is set aside. */
        void recall() {
            if (used == 0) {
                return;
            }
            used = 0;
            if (recalling == null) {
                recalling = backend.capture(this::recallOnDevice);
            }
            recalling.replay();
        }

        private void recallOnDevice() {
            StepArrays<DeviceArray> goingOn = new StepArrays<>(
                    places,
                    agent.spaces().observations().size(),
                    observations,
                    noReward,
                    nothing,
                    nothing,
                    observations,
                    null);
            backend.rl()
                    .advance(goingOn, clock, origin, 0, gamma, scratch.slice(0, places), scratch.slice(places, places));
            try (Tape tape = Tape.inference(backend)) {
                int size = agent.encoder().size();
                DeviceArray shown = tape.allocate(backend.memory().floatType(), (long) places * size);
                agent.encoder().encode(new StepInputs(places, observations, actions, clock.ages(), null), shown);
                ActorCritic.Outputs outputs = actor.recall(tape.constant(shown, places, size), clock);
                recorder.continued(
                        environments, clock.positions(), outputs.values().array());
            }
            backend.memory().fill(environments, -1);
        }

        void close() {
            if (recalling != null) {
                recalling.close();
            }
        }
    }
}
