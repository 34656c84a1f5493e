// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Keeps what a {@link PolicyRunner} does, on the device. Its methods are part of captured steps: they issue the same operations each
 * time. Positions say at which step of the segment each environment stands, its first step being {@code origin}.
 */
public interface StepRecorder {

    /**
     * What came of the step before, in environments {@code [from, to)}; nothing did where that is of another segment.
     *
     * @param rewards as the environments gave them
     * @param ended 1 where the episode ended
     * @param discountedReturns of the episode, this reward included
     */
    void outcome(
            int from,
            int to,
            DeviceArray positions,
            DeviceArray rewards,
            DeviceArray ended,
            DeviceArray discountedReturns);

    /** What the policy did in environments {@code [from, to)}. */
    void acted(int from, int to, DeviceArray positions, Acted acted);

    /**
     * Values of what would have followed the step before, in an episode that was cut.
     *
     * @param environments I32, the environment of each; negative where there is none
     * @param positions I32, of what would have followed
     * @param values one of each
     */
    void continued(DeviceArray environments, DeviceArray positions, DeviceArray values);

    /** Values of what follows the segment, of all environments, [count, 1]. */
    void following(Tensor values);

    /**
     * A step of some environments, in arrays of one row each.
     *
     * @param observations as the environments gave them
     * @param tokens as the network is given them
     * @param masks what was added to the policy's outputs; null where nothing is forbidden
     * @param values of the observations
     */
    record Acted(
            DeviceArray observations,
            DeviceArray tokens,
            DeviceArray actions,
            @Nullable DeviceArray masks,
            DeviceArray logProbs,
            DeviceArray values) {}
}
