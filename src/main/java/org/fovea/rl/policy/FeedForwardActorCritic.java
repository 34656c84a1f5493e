// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import java.util.Map;
import java.util.function.Function;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.nn.Mlp;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Separate tanh networks for policy and value. It sees the current observation only. */
final class FeedForwardActorCritic implements ActorCritic {
    private final StepFeatures policyFeatures;
    private final StepFeatures valueFeatures;
    private final Mlp policy;
    private final PolicyOutputs outputs;
    private final Mlp value;
    private final long flopsPerStep;

    FeedForwardActorCritic(
            Parameters parameters,
            NetworkConfig config,
            Function<String, StepFeatures> features,
            PolicyOutputs outputs) {
        this.policyFeatures = features.apply("policy.features");
        this.valueFeatures = features.apply("value.features");
        int inputs = policyFeatures.size();
        this.policy = network(parameters, "policy", config, inputs, outputs.inputs(), Heads.POLICY_GAIN);
        this.outputs = outputs;
        this.value = network(parameters, "value", config, inputs, 1, Heads.VALUE_GAIN);
        long hidden = (long) config.width() * config.width() * (config.layers() - 1);
        this.flopsPerStep = policyFeatures.flops()
                + valueFeatures.flops()
                + outputs.flops()
                + 2 * (2L * inputs * config.width() + 2 * hidden + (outputs.inputs() + 1L) * config.width());
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
        return policyFeatures.inputs();
    }

    @Override
    public Tensor valuesOf(Tensor features) {
        return value.apply(valueFeatures.apply(features).features());
    }

    @Override
    public long flopsPerStep() {
        return flopsPerStep;
    }

    private Outputs outputs(Tensor observations) {
        return new Outputs(policyOf(observations), valuesOf(observations));
    }

    private Tensor policyOf(Tensor observations) {
        StepFeatures.Encoded step = policyFeatures.apply(observations);
        return outputs.apply(policy.apply(step.features()), step);
    }

    /** A network without memory has nothing to keep. */
    private final class Memoryless implements Context, Actor {
        @Override
        public Outputs forward(Tensor observations, DeviceArray units) {
            return outputs(observations);
        }

        @Override
        public Tensor policy(Tensor observations, DeviceArray units) {
            return policyOf(observations);
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
