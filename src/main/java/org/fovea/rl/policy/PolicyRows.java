// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

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

/** Some of a {@link PolicyRunner}'s environments: what they showed last, and the steps that are captured for them. */
public final class PolicyRows {
    private final PolicyRunner runner;
    private final Backend backend;
    private final Agent agent;
    private final ActorCritic.Actor actor;
    private final @Nullable StepRecorder recorder;
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

    /** Those of environments {@code [from, to)}. */
    PolicyRows(PolicyRunner runner, int from, int to) {
        this.runner = runner;
        this.backend = runner.backend;
        this.agent = runner.agent;
        this.actor = runner.actor;
        this.recorder = runner.recorder;
        this.from = from;
        this.to = to;
        this.uploads = new StepUploads(agent, from, to);
        this.step = uploads.step();
        this.clock = runner.clock.rows(from, to, runner.owned.integers(1));
        this.numbers = runner.owned.integers(to - from);
        this.myActions = mine(runner.actions);
    }

    /** @param stream the number that is added to those of random streams, less that of one step */
    void beginAt(long stream) {
        backend.memory().fill(clock.stream(), stream);
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
            CutEpisodes episodes = Objects.requireNonNull(runner.cutEpisodes);
            if (settingAside == null) {
                settingAside = runner.captured(() -> episodes.putOnDevice(step, clock, numbers, from, to));
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
                .advance(
                        step,
                        clock,
                        runner.origin,
                        runner.streams,
                        runner.gamma,
                        runner.ended.slice(from, rows),
                        runner.returns.slice(from, rows));
        if (recorder != null) {
            recorder.outcome(
                    from,
                    to,
                    clock.positions(),
                    step.rewards(),
                    runner.ended.slice(from, rows),
                    runner.returns.slice(from, rows));
        }
        StepInputs inputs =
                new StepInputs(rows, step.observations(), mine(runner.actions), clock.ages(), 0, step.actionMasks());
        agent.encoder().encode(inputs, mine(runner.tokens));
        agent.encoder().encodeMasks(inputs, mine(runner.masks));
    }

    /** These rows of an array of all. */
    private DeviceArray mine(DeviceArray ofAll) {
        long width = ofAll.length() / runner.count;
        return ofAll.slice(from * width, (to - from) * width);
    }

    /** Draws actions. */
    public void sample() {
        deliverOnce();
        if (sampling == null) {
            sampling = runner.captured(this::sampleOnDevice);
        }
        sampling.replay();
        download();
    }

    /** All are computed, as a product of other shapes might round otherwise. */
    private void sampleOnDevice() {
        receiveOnDevice();
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.act(runner.shown(tape), runner.clock, from, to);
            DeviceArray drawn = drawn(tape);
            DeviceArray logProbs = tape.allocate(backend.memory().floatType(), runner.count);
            RandomRange draw = new RandomRange(runner.seed, runner.baseStream, runner.firstDraw, clock.stream());
            Tensor restricted = restricted(outputs.policy());
            agent.distribution().sample(backend, restricted, draw, drawn, logProbs);
            keep(drawn);
            runner.keep(restricted, outputs.values());
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

    /** Brings to the host what environments show, and the last actions: to {@link PolicyRunner#choices} or {@link PolicyRunner#values}. */
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
    public void playSegment(int steps, int timeLimit, BiConsumer<DeviceArray, StepArrays<DeviceArray>> environments) {
        if (playing == null) {
            StepRecorder values = Objects.requireNonNull(recorder);
            CutEpisodes episodes = Objects.requireNonNull(runner.cutEpisodes);
            playing = runner.captured(() -> {
                actor.beginSegment();
                episodes.emptyOnDevice();
                for (int played = 1; played <= steps; played++) {
                    sampleOnDevice();
                    environments.accept(runner.actions, step);
                    episodes.putOnDevice(step, clock, numbers, from, to);
                    // Within so many steps an episode is cut once at most, so that there is a place for each.
                    if (played % timeLimit == 0 || played == steps) {
                        episodes.recallOnDevice();
                        episodes.emptyOnDevice();
                    }
                }
                receiveOnDevice();
                runner.peek(values);
                actor.endSegment();
            });
        }
        playing.replay();
    }

    /** Takes the most likely actions. */
    public void chooseBest() {
        deliverOnce();
        if (choosing == null) {
            choosing = runner.captured(this::chooseOnDevice);
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
            target = runner.owned.allocate(runner.actions.dtype(), myActions.length());
            given = target;
        }
        int offset = from * agent.distribution().actionSize();
        if (agent.bounds() == null) {
            backend.memory().upload(givenChoices, offset, target);
        } else {
            backend.memory().upload(givenNumbers, offset, target);
        }
        if (following == null) {
            following = runner.captured(this::followOnDevice);
        }
        following.replay();
    }

    private void followOnDevice() {
        StepRecorder follower = Objects.requireNonNull(recorder);
        receiveOnDevice();
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.act(runner.shown(tape), runner.clock, from, to);
            backend.memory().copy(Objects.requireNonNull(given), mine(runner.actions));
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
                        mine(runner.tokens),
                        mine(runner.actions),
                        runner.masks.length() == 0 ? null : mine(runner.masks),
                        logProbs,
                        mine(outputs.values().array())));
    }

    private void chooseOnDevice() {
        receiveOnDevice();
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs = actor.act(runner.shown(tape), runner.clock, from, to);
            DeviceArray best = drawn(tape);
            Tensor restricted = restricted(outputs.policy());
            agent.distribution().mostLikely(backend, restricted, best);
            keep(best);
            runner.keep(restricted, outputs.values());
        }
    }

    private Tensor restricted(Tensor outputs) {
        return agent.distribution()
                .restrict(
                        outputs,
                        runner.masks.length() == 0 ? null : outputs.tape().constant(runner.masks, outputs.shape()));
    }

    private DeviceArray drawn(Tape tape) {
        return to - from == runner.count
                ? runner.actions
                : tape.allocate(runner.actions.dtype(), runner.actions.length());
    }

    private void keep(DeviceArray drawn) {
        if (drawn != runner.actions) {
            backend.memory().copy(mine(drawn), mine(runner.actions));
        }
    }

    private void download() {
        int size = agent.distribution().actionSize();
        ActionBounds bounds = agent.bounds();
        if (bounds == null) {
            backend.memory().download(myActions, runner.choices, from * size);
        } else {
            backend.memory().download(myActions, runner.values, from * size);
            bounds.apply(runner.values, runner.boundedValues, from * size, to * size);
        }
    }

    /** Captured steps are to be captured anew. */
    void forget() {
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

    void close() {
        forget();
        uploads.close();
    }
}
