package org.fovea.rl;

import java.util.Map;
import org.fovea.backend.DeviceArray;

/** Improves a policy by what it played. */
interface Learner extends AutoCloseable {

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

    /** Arrays that a checkpoint keeps, by name. */
    Map<String, DeviceArray> persistent();

    @Override
    void close();
}
