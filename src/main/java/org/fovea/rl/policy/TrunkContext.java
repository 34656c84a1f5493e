// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tensor;

/** The training pass of a network whose {@link Heads} share a trunk that remembers. */
abstract class TrunkContext implements ActorCritic.Context {
    private final StepFeatures features;
    private final Heads heads;

    TrunkContext(StepFeatures features, Heads heads) {
        this.features = features;
        this.heads = heads;
    }

    /** What the heads are given, [rows, width]; arguments as those of {@link #forward}. */
    abstract Tensor trunk(StepFeatures.Encoded steps, DeviceArray units);

    @Override
    public final ActorCritic.Outputs forward(Tensor observations, DeviceArray units) {
        StepFeatures.Encoded steps = features.apply(observations);
        return heads.apply(trunk(steps, units), steps);
    }

    @Override
    public final Tensor policy(Tensor observations, DeviceArray units) {
        StepFeatures.Encoded steps = features.apply(observations);
        return heads.policy(trunk(steps, units), steps);
    }

    @Override
    public final Tensor valueFeatures(Tensor observations, DeviceArray units) {
        return trunk(features.apply(observations), units);
    }
}
