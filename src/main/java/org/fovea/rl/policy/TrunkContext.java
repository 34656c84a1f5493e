// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.backend.memory.DeviceArray;
import org.fovea.tensor.Tensor;

/** The training pass of a network whose {@link Heads} share a trunk that remembers. */
abstract class TrunkContext implements ActorCritic.Context {
    private final Heads heads;

    TrunkContext(Heads heads) {
        this.heads = heads;
    }

    /** What the heads are given, [rows, width]; arguments as those of {@link #forward}. */
    abstract Tensor trunk(Tensor observations, DeviceArray units);

    @Override
    public final ActorCritic.Outputs forward(Tensor observations, DeviceArray units) {
        return heads.apply(trunk(observations, units));
    }

    @Override
    public final Tensor policy(Tensor observations, DeviceArray units) {
        return heads.policy(trunk(observations, units));
    }

    @Override
    public final Tensor valueFeatures(Tensor observations, DeviceArray units) {
        return trunk(observations, units);
    }
}
