// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import java.util.Map;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.nn.Mlp;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Separate tanh networks for policy and value. It sees the current observation only. */
final class FeedForwardActorCritic implements ActorCritic {
    private static final double POLICY_GAIN = 0.01;
    private static final double VALUE_GAIN = 1;

    private final Mlp policy;
    private final Mlp value;
    private final int observationSize;
    private final long flopsPerStep;

    FeedForwardActorCritic(Parameters parameters, NetworkConfig config, int observationSize, int outputs) {
        this.policy = network(parameters, "policy", config, observationSize, outputs, POLICY_GAIN);
        this.value = network(parameters, "value", config, observationSize, 1, VALUE_GAIN);
        this.observationSize = observationSize;
        long hidden = (long) config.width() * config.width() * (config.layers() - 1);
        this.flopsPerStep = 2 * (2L * observationSize * config.width() + 2 * hidden + (outputs + 1L) * config.width());
    }

    private static Mlp network(
            Parameters parameters, String name, NetworkConfig config, int inputs, int outputs, double outputGain) {
        int[] sizes = new int[config.layers() + 2];
        Arrays.fill(sizes, config.width());
        sizes[0] = inputs;
        sizes[sizes.length - 1] = outputs;
        return new Mlp(parameters, name, sizes, Activation.TANH, outputGain);
    }

    @Override
    public Context context(int environments, int rolloutSteps) {
        return new Memoryless();
    }

    @Override
    public int valueFeatureCount() {
        return observationSize;
    }

    @Override
    public Tensor valuesOf(Tensor features) {
        return value.apply(features);
    }

    @Override
    public long flopsPerStep() {
        return flopsPerStep;
    }

    private Outputs outputs(Tensor observations) {
        return new Outputs(policy.apply(observations), value.apply(observations));
    }

    /** A network without memory has nothing to keep. */
    private final class Memoryless implements Context, Actor {
        @Override
        public Outputs forward(Tensor observations, DeviceArray units) {
            return outputs(observations);
        }

        @Override
        public Tensor policy(Tensor observations, DeviceArray units) {
            return policy.apply(observations);
        }

        @Override
        public Tensor valueFeatures(Tensor observations, DeviceArray units) {
            return observations;
        }

        @Override
        public Actor actor(int first, int count) {
            return this;
        }

        @Override
        public void advance() {}

        @Override
        public Map<String, DeviceArray> persistent() {
            return Map.of();
        }

        @Override
        public void close() {}

        @Override
        public void beginSegment(int[] episodeSteps) {}

        @Override
        public Outputs act(Tensor observations, int step, int[] episodeSteps) {
            return outputs(observations);
        }

        @Override
        public Outputs peek(Tensor observations, int step, int[] episodeSteps) {
            return outputs(observations);
        }

        @Override
        public void endSegment() {}
    }
}
