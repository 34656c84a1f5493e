// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.function.UnaryOperator;
import org.fovea.backend.math.Activation;
import org.fovea.nn.Linear;
import org.fovea.nn.Mlp;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * Policy and value of what one trunk makes of the past: linear; or, where the trunk follows the policy alone, two hidden layers
 * before the value.
 */
final class Heads {
    static final double POLICY_GAIN = 0.01;
    static final double VALUE_GAIN = 1;

    private final Linear policy;
    private final PolicyOutputs outputs;
    private final UnaryOperator<Tensor> value;
    private final long flops;

    /**
     * Heads with parameters {@code policy} and {@code value}.
     *
     * @param width of the trunk
     * @param separateCritic whether the trunk learns from the policy alone, so that values need layers of their own
     */
    Heads(Parameters parameters, int width, PolicyOutputs outputs, boolean separateCritic) {
        this.policy = new Linear(parameters, "policy", width, outputs.inputs(), Initializer.orthogonal(POLICY_GAIN));
        this.outputs = outputs;
        if (separateCritic) {
            int[] sizes = {width, width, width, 1};
            this.value = new Mlp(parameters, "value", sizes, Activation.TANH, VALUE_GAIN)::apply;
        } else {
            this.value = new Linear(parameters, "value", width, 1, Initializer.orthogonal(VALUE_GAIN))::apply;
        }
        this.flops =
                2 * (outputs.inputs() + 1L) * width + outputs.flops() + (separateCritic ? 4L * width * width : 0);
    }

    /** Multiply-adds times two for one step. */
    long flops() {
        return flops;
    }

    /** Both, of trunks [rows, width] and the steps that those end with. */
    ActorCritic.Outputs apply(Tensor trunk, StepFeatures.Encoded step) {
        return new ActorCritic.Outputs(policy(trunk, step), values(trunk));
    }

    Tensor policy(Tensor trunk, StepFeatures.Encoded step) {
        return outputs.apply(policy.apply(trunk), step);
    }

    Tensor values(Tensor trunk) {
        return value.apply(trunk);
    }
}
