// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.Trajectories;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.policy.ActionDistribution;

/**
 * The steps played since the last update, in device memory; every array is [environments, steps, ...].
 *
 * @param observations as the network saw them
 * @param actions as the distribution drew them
 * @param masks what was added to the policy's outputs; of length 0 where nothing is forbidden
 * @param logProbs of the actions, under the policy that drew them
 * @param rewards as the learner sees them
 * @param values of the observations
 * @param nextValues of what followed each step; see {@link org.fovea.backend.rl.RlOps#advantages}
 * @param done 1 where an episode ended with this step
 */
public record Rollout(
        int environments,
        int steps,
        int observationSize,
        int actionSize,
        DeviceArray observations,
        DeviceArray actions,
        DeviceArray masks,
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
        DType floats = backend.memory().floatType();
        return new Rollout(
                environments,
                steps,
                observationSize,
                distribution.actionSize(),
                backend.memory().allocate(floats, (long) rows * observationSize),
                backend.memory().allocate(distribution.actionType(), (long) rows * distribution.actionSize()),
                backend.memory().allocate(floats, distribution.masked() ? (long) rows * distribution.outputs() : 0),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows),
                backend.memory().allocate(floats, rows));
    }

    public int rows() {
        return environments * steps;
    }

    /**
     * Units in the largest of {@code minibatches} parts.
     *
     * @param setting that says how many; its name, for the message
     * @param rowsPerUnit steps that must stay together
     * @throws IllegalArgumentException if there are more minibatches than units
     */
    public int largestMinibatch(String setting, int minibatches, int rowsPerUnit) {
        int units = rows() / rowsPerUnit;
        if (units < minibatches) {
            throw new IllegalArgumentException("hyper-parameter " + setting + " must be at most " + units
                    + (rowsPerUnit > 1
                            ? " (the number of environments, whose rollouts stay whole)"
                            : " (steps per rollout)")
                    + ", got " + minibatches);
        }
        return (units + minibatches - 1) / minibatches;
    }

    /** Fills in advantages and returns. */
    public void estimateAdvantages(Backend backend, RolloutConfig config) {
        backend.rl()
                .advantages(
                        new Trajectories<>(environments, steps, rewards, values, nextValues, done),
                        config.gamma(),
                        config.gaeLambda(),
                        advantages,
                        returns);
    }

    @Override
    public void close() {
        observations.release();
        actions.release();
        masks.release();
        logProbs.release();
        rewards.release();
        values.release();
        nextValues.release();
        done.release();
        advantages.release();
        returns.release();
    }
}
