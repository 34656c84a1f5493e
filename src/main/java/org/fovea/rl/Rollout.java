package org.fovea.rl;

import org.fovea.backend.Backend;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;

/**
 * What was played since the last update, in device memory; every array is [environments, steps, ...].
 *
 * @param observations as the network saw them
 * @param actions as the distribution drew them
 * @param logProbs of the actions, under the policy that drew them
 * @param rewards as the learner sees them
 * @param values of the observations
 * @param nextValues of what followed each step; see {@link org.fovea.backend.RlOps#advantages}
 * @param done 1 where an episode ended with this step
 */
record Rollout(
        int environments,
        int steps,
        int observationSize,
        int actionSize,
        DeviceArray observations,
        DeviceArray actions,
        DeviceArray logProbs,
        DeviceArray rewards,
        DeviceArray values,
        DeviceArray nextValues,
        DeviceArray done,
        DeviceArray advantages,
        DeviceArray returns)
        implements AutoCloseable {

    static Rollout allocate(
            Backend backend, int environments, int steps, int observationSize, ActionDistribution distribution) {
        int rows = Math.multiplyExact(environments, steps);
        DType floats = backend.floatType();
        return new Rollout(
                environments,
                steps,
                observationSize,
                distribution.actionSize(),
                backend.allocate(floats, (long) rows * observationSize),
                backend.allocate(distribution.actionType(), (long) rows * distribution.actionSize()),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows),
                backend.allocate(floats, rows));
    }

    int rows() {
        return environments * steps;
    }

    @Override
    public void close() {
        observations.release();
        actions.release();
        logProbs.release();
        rewards.release();
        values.release();
        nextValues.release();
        done.release();
        advantages.release();
        returns.release();
    }
}
