// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepInputs;
import org.fovea.tensor.Tape;
import org.jspecify.annotations.Nullable;

/**
 * Places for what would have followed in episodes that were cut, which still has value: many are computed at a time. All places
 * are, so that no value depends on how many are in use.
 */
final class CutEpisodes implements AutoCloseable {
    private final Backend backend;
    private final Agent agent;
    private final ActorCritic.Actor actor;
    private final StepRecorder recorder;
    private final int origin;
    private final int places;
    private final OwnedArrays owned;

    /** The last actions of all environments, and the environments' own numbers. */
    private final DeviceArray lastActions;

    private final DeviceArray numbersOfAll;

    /** What is in each place. */
    private final StepClock clock;

    private final DeviceArray environments;
    private final DeviceArray tokens;

    /** The next place. */
    private final DeviceArray next;

    /** The outcome of a step that ends nothing, and what becomes of that. */
    private final StepArrays<DeviceArray> goingOn;

    private final DeviceArray unused;
    private int used;
    private @Nullable CapturedStep recalling;

    /**
     * No episodes yet.
     *
     * @param actor with as many places
     * @param lastActions [count, action size]
     */
    CutEpisodes(
            Agent agent,
            ActorCritic.Actor actor,
            StepRecorder recorder,
            int origin,
            int count,
            int places,
            DeviceArray lastActions) {
        this.backend = agent.backend();
        this.agent = agent;
        this.actor = actor;
        this.recorder = recorder;
        this.origin = origin;
        this.places = places;
        this.lastActions = lastActions;
        this.owned = new OwnedArrays(backend.memory());
        this.numbersOfAll = owned.integers(count);
        this.clock = owned.clock(places);
        this.environments = owned.integers(places);
        this.tokens = owned.floats((long) places * agent.encoder().size());
        this.next = owned.integers(1);
        this.unused = owned.floats(places);
        DeviceArray no = owned.integers(places);
        this.goingOn = new StepArrays<>(places, 0, unused, owned.floats(places), no, no, unused, null);
        backend.math().iota(0, 1, numbersOfAll);
        backend.memory().fill(environments, -1);
    }

    /** Begins with the first place, on the device. */
    void emptyOnDevice() {
        backend.memory().fill(next, 0);
    }

    /**
     * Puts what was cut in environments {@code [from, to)} in the next places; what finds none is left for later.
     *
     * @param step what they showed last, before their clock was taken on
     * @param numbers I32 [to - from], written
     */
    void putOnDevice(StepArrays<DeviceArray> step, StepClock ofRows, DeviceArray numbers, int from, int to) {
        backend.rl().enumerate(step.truncated(), next, numbers);
        RowPlaces where = RowPlaces.in(numbers, places);
        int actionSize = agent.distribution().actionSize();
        int rows = to - from;
        DeviceArray acted = lastActions.slice((long) from * actionSize, (long) rows * actionSize);
        try (Scope scope = backend.memory().openScope()) {
            int size = agent.encoder().size();
            // Where nothing was cut this is anything, and goes nowhere.
            DeviceArray shown = scope.allocate(backend.memory().floatType(), (long) rows * size);
            agent.encoder()
                    .encode(new StepInputs(rows, step.finalObservations(), acted, ofRows.ages(), 1, null), shown);
            backend.math()
                    .placeRows(
                            where,
                            List.of(
                                    new TableRows(tokens, size, shown),
                                    new TableRows(clock.positions(), 1, ofRows.positions()),
                                    new TableRows(clock.ages(), 1, ofRows.ages()),
                                    new TableRows(environments, 1, numbersOfAll.slice(from, rows))));
        }
        List<TableRows> memory = actor.setAside(from, to);
        if (!memory.isEmpty()) {
            backend.math().placeRows(where, memory);
        }
    }

    /**
     * Lets a captured {@link #putOnDevice} put as many as there is room for.
     *
     * @param number how many are to be put, the last that were cut in a step
     * @param done how many were cut before these in the step
     * @return how many were put
     */
    int put(CapturedStep putting, int number, int done) {
        int taken = Math.min(number, places - used);
        backend.memory().fill(next, used - done);
        putting.replay();
        used += taken;
        if (used == places) {
            recall();
        }
        return taken;
    }

    /** Computes the values of what was put. */
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

    /** Computes the values of all places. */
    void recallOnDevice() {
        backend.rl().advance(goingOn, clock, origin, 0, 0, unused, unused);
        try (Tape tape = Tape.inference(backend)) {
            ActorCritic.Outputs outputs =
                    actor.recall(tape.constant(tokens, places, agent.encoder().size()), clock);
            recorder.continued(environments, clock.positions(), outputs.values().array());
        }
        backend.memory().fill(environments, -1);
    }

    @Override
    public void close() {
        if (recalling != null) {
            recalling.close();
        }
        owned.close();
    }
}
