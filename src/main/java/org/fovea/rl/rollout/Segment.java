// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.policy.ObservationNormalizer;
import org.fovea.rl.policy.StepRecorder;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** A player's part of a rollout while it is played, and what normalizers will take in; arrays are [count, steps, ...]. */
final class Segment implements StepRecorder, AutoCloseable {
    private final Backend backend;
    private final Rollout rollout;
    private final int first;
    private final int count;
    private final int steps;
    private final int origin;

    /** As environments gave them; empty where observations are not normalized. */
    private final DeviceArray rawObservations;

    /** Likewise, where rewards are not. */
    private final DeviceArray discountedReturns;

    /**
     * The part of environments {@code [first, first + count)}.
     *
     * @param origin position of the first step
     */
    Segment(
            Backend backend,
            Rollout rollout,
            int first,
            int count,
            int origin,
            ObservationNormalizer observations,
            int observationSize,
            RewardNormalizer rewards) {
        this.backend = backend;
        this.rollout = rollout;
        this.first = first;
        this.count = count;
        this.steps = rollout.steps();
        this.origin = origin;
        long rows = (long) count * steps;
        this.rawObservations = backend.memory()
                .allocate(backend.memory().floatType(), observations.enabled() ? rows * observationSize : 0);
        this.discountedReturns = backend.memory().allocate(backend.memory().floatType(), rewards.enabled() ? rows : 0);
    }

    private DeviceArray mine(DeviceArray ofAll) {
        return rows(ofAll, first, first + count, rollout.environments());
    }

    private static DeviceArray rows(DeviceArray array, int from, int to, int units) {
        long unit = array.length() / units;
        return array.slice(from * unit, (to - from) * unit);
    }

    /** Where rows of environments {@code [from, to)} go in an array of all of the rollout's. */
    private TableRows to(DeviceArray ofAll, int from, int to, DeviceArray rows) {
        return new TableRows(
                rows(ofAll, first + from, first + to, rollout.environments()),
                Math.toIntExact(rows.length() / (to - from)),
                rows);
    }

    /** Forgets what was played before. */
    void begin() {
        backend.memory().fill(mine(rollout.nextValues()), 0);
    }

    @Override
    public void outcome(
            int from, int to, DeviceArray positions, DeviceArray rewards, DeviceArray ended, DeviceArray returns) {
        List<TableRows> tables = new ArrayList<>();
        tables.add(to(rollout.rewards(), from, to, rewards));
        tables.add(to(rollout.done(), from, to, ended));
        if (discountedReturns.length() > 0) {
            tables.add(new TableRows(rows(discountedReturns, from, to, count), 1, returns));
        }
        backend.math().placeRows(RowPlaces.inEach(positions, -origin - 1, steps), tables);
    }

    @Override
    public void acted(int from, int to, DeviceArray positions, Acted acted) {
        List<TableRows> tables = new ArrayList<>();
        tables.add(to(rollout.observations(), from, to, acted.tokens()));
        tables.add(to(rollout.actions(), from, to, acted.actions()));
        tables.add(to(rollout.logProbs(), from, to, acted.logProbs()));
        tables.add(to(rollout.values(), from, to, acted.values()));
        if (acted.masks() != null) {
            tables.add(to(rollout.masks(), from, to, acted.masks()));
        }
        if (rawObservations.length() > 0) {
            DeviceArray seen = acted.observations();
            int size = Math.toIntExact(seen.length() / (to - from));
            tables.add(new TableRows(rows(rawObservations, from, to, count), size, seen));
        }
        backend.math().placeRows(RowPlaces.inEach(positions, -origin, steps), tables);
    }

    @Override
    public void continued(DeviceArray environments, DeviceArray positions, DeviceArray values) {
        backend.math()
                .placeRows(
                        new RowPlaces(environments, steps, positions, -origin - 1, steps, false),
                        List.of(new TableRows(mine(rollout.nextValues()), 1, values)));
    }

    @Override
    public void following(Tensor valuesOfNext) {
        DeviceArray nextValues = mine(rollout.nextValues());
        Tape tape = valuesOfNext.tape();
        Tensor next = valuesOfNext;
        if (steps > 1) {
            Tensor values = tape.constant(mine(rollout.values()), count, steps);
            next = Tensor.concat(1, List.of(values.slice(1, 1, steps), next));
        }
        Tensor goesOn =
                tape.constant(mine(rollout.done()), count, steps).negate().add(1);
        // What ended has the value of its continuation already, or none.
        Tensor all = tape.constant(nextValues, count, steps).add(next.multiply(goesOn));
        backend.memory().copy(all.array(), nextValues);
    }

    void includeIn(ObservationNormalizer observations) {
        if (observations.enabled()) {
            observations.include(downloaded(rawObservations), count * steps);
        }
    }

    void includeIn(RewardNormalizer normalizer) {
        if (normalizer.enabled()) {
            normalizer.include(downloaded(discountedReturns), count * steps);
        }
    }

    /** Normalizes the rewards of the rollout. */
    void normalizeRewards(RewardNormalizer normalizer) {
        if (normalizer.enabled()) {
            float[] rewards = rewards();
            for (int i = 0; i < rewards.length; i++) {
                rewards[i] = normalizer.normalize(rewards[i]);
            }
            backend.memory().upload(rewards, 0, mine(rollout.rewards()));
        }
    }

    /** As environments gave them. */
    float[] rewards() {
        return downloaded(mine(rollout.rewards()));
    }

    /** 1 where an episode ended. */
    float[] ended() {
        return downloaded(mine(rollout.done()));
    }

    private float[] downloaded(DeviceArray array) {
        float[] numbers = new float[Math.toIntExact(array.length())];
        backend.memory().download(array, numbers, 0);
        return numbers;
    }

    @Override
    public void close() {
        rawObservations.release();
        discountedReturns.release();
    }
}
