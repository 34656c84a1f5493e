// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import java.util.Map;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.rollout.NonFiniteException;

/** Improves a policy by what it played. */
public interface Learner extends AutoCloseable {

    /**
     * Learns from the rollout.
     *
     * @param progress share of the run that is done, from 0 to 1
     * @param seed of the run
     * @param iteration number of rollouts learned from before
     * @param step of the run, for messages
     * @throws NonFiniteException if a loss or the gradient is not finite
     */
    UpdateStatistics update(double progress, long seed, long iteration, long step);

    /** Of the last step of the optimiser, laid out like the parameters: to be looked at. */
    DeviceArray gradient();

    /** Arrays that a checkpoint keeps, by name. */
    Map<String, DeviceArray> persistent();

    @Override
    void close();
}
