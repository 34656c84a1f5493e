// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import java.util.function.UnaryOperator;
import org.fovea.backend.memory.DeviceArray;

/**
 * Where some environments stand, on the device; {@link RlOps#advance} takes it from step to step, so that a captured step knows
 * where it is.
 *
 * @param positions I32 [count], of the step within its segment, counted from some origin
 * @param ages I32 [count], steps of the episode so far, the present one included: 1 in its first
 * @param episodes I32 [count], episodes that ended since the segment began
 * @param discountedReturns [count], of the episode so far; 0 in its first step
 * @param stream I32 [1], number of the random stream that the step draws from
 */
public record StepClock(
        DeviceArray positions,
        DeviceArray ages,
        DeviceArray episodes,
        DeviceArray discountedReturns,
        DeviceArray stream) {

    /** The same of environments {@code [from, to)}, with a stream of their own. */
    public StepClock rows(int from, int to, DeviceArray ownStream) {
        UnaryOperator<DeviceArray> mine = array -> array.slice(from, to - from);
        return new StepClock(
                mine.apply(positions),
                mine.apply(ages),
                mine.apply(episodes),
                mine.apply(discountedReturns),
                ownStream);
    }
}
