// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * The last steps of the segment before, of each of a set of environments. A memory is kept as it was before these steps, and
 * made what it is at the start of a segment by going through them again under current parameters, without gradient; see {@link
 * org.fovea.rl.config.RolloutConfig}.
 */
final class BurnIn {
    private final Backend backend;
    private final int length;
    private final int inputs;
    private final int firstStep;

    /** [environments, length, inputs]: before the segment, and of the segment itself. */
    private final DeviceArray steps;

    private final DeviceArray nextSteps;

    /**
     * The last {@code length} steps of segments.
     *
     * @param inputs numbers of a step
     */
    BurnIn(Backend backend, int environments, int segmentSteps, int length, int inputs) {
        this.backend = backend;
        this.length = length;
        this.inputs = inputs;
        this.firstStep = segmentSteps - length;
        long numbers = (long) environments * length * inputs;
        this.steps = backend.memory().allocate(backend.memory().floatType(), numbers);
        this.nextSteps = backend.memory().allocate(backend.memory().floatType(), numbers);
    }

    /** Steps to go through; none if memories are taken as they were left. */
    int length() {
        return length;
    }

    /** The step of a segment that is the first of the next one's burn-in; the number of its steps if there is none. */
    int firstStep() {
        return firstStep;
    }

    /**
     * Keeps the step at which each of environments {@code [first, first + positions.length())} stands, if it is among the last.
     *
     * @param numbers [environments, inputs]
     * @param positions I32, counted from {@code origin}
     */
    void keep(int first, DeviceArray numbers, DeviceArray positions, int origin) {
        if (length == 0) {
            return;
        }
        long unit = (long) length * inputs;
        DeviceArray table = nextSteps.slice(first * unit, positions.length() * unit);
        backend.math()
                .placeRows(
                        RowPlaces.inEach(positions, -origin - firstStep, length),
                        List.of(new TableRows(table, inputs, numbers)));
    }

    /** The steps of environments {@code units}, I32; [units * length, inputs]. */
    Tensor gather(Tape tape, DeviceArray units) {
        int count = (int) units.length();
        DeviceArray rows = tape.allocate(steps.dtype(), (long) count * length * inputs);
        backend.math().gatherRows(steps, length * inputs, units, rows);
        return tape.constant(rows, count * length, inputs);
    }

    /** The steps of environments {@code [first, first + count)}; [count * length, inputs]. */
    Tensor of(Tape tape, int first, int count) {
        long size = (long) length * inputs;
        return tape.constant(steps.slice(first * size, count * size), count * length, inputs);
    }

    /** Makes the steps of the segment just played those before the next. */
    void advance() {
        backend.memory().copy(nextSteps, steps);
    }

    /** What a checkpoint keeps. */
    DeviceArray persistent() {
        return steps;
    }

    void release() {
        steps.release();
        nextSteps.release();
    }
}
