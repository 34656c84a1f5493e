// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * The distribution of actions that a policy's outputs determine: a softmax for each choice, or independent normals. Where
 * it is {@link #masked} it is given the outputs {@linkplain #restrict restricted} to what is allowed.
 */
public sealed interface ActionDistribution permits CategoricalActions, GaussianActions {

    /** The distribution that fits the action space, with whatever parameters it has of its own. */
    static ActionDistribution of(EnvironmentSpec.Spaces spaces, Parameters parameters) {
        int[] choices = Schema.of(spaces.actions()).choices();
        if (choices.length > 0) {
            return new CategoricalActions(choices, spaces.masked());
        }
        int size = spaces.actions().size();
        return new GaussianActions(size, parameters.declare("policy.log_std", Initializer.zeros(), size));
    }

    /** Network outputs per row. */
    int outputs();

    /** Elements of an action per row. */
    int actionSize();

    /** Entropy of a row where every action is as likely, in nats; NaN where there is no such distribution. */
    double maxEntropy();

    /** Whether it is given masks: numbers to be added to the outputs. */
    default boolean masked() {
        return false;
    }

    /** The choice, among those of all parts, that each output stands for; -1 for one that stands for none. Empty without choices. */
    default int[] choiceOfOutput() {
        return new int[0];
    }

    /**
     * A network's outputs where some choices are forbidden.
     *
     * @param outputs [rows, outputs()]
     * @param masks the same shape; null where it is not {@link #masked}
     */
    default Tensor restrict(Tensor outputs, @Nullable Tensor masks) {
        return masks == null ? outputs : outputs.add(masks);
    }

    /** Type of an action's elements. */
    DType actionType();

    /**
     * Draws an action per row.
     *
     * @param outputs [rows, outputs()]
     * @param actions written, [rows, actionSize()]
     * @param logProbs written, [rows]
     */
    void sample(Backend backend, Tensor outputs, RandomRange draw, DeviceArray actions, DeviceArray logProbs);

    /** The most likely action of each row. */
    void mostLikely(Backend backend, Tensor outputs, DeviceArray actions);

    /**
     * Statistics of the PPO loss, and its gradients.
     *
     * @param batch what was played; its arrays have one entry per row
     * @param statistics written, {@link PpoLoss#STATISTICS} elements
     * @return gradients for each of {@code differentiated(tape, outputs)}
     */
    Loss loss(
            Tape tape, PpoLoss loss, ActorCritic.Outputs outputs, PpoBatch<DeviceArray> batch, DeviceArray statistics);

    /**
     * What is small where actions are likely: the negative log-probability of choices, or half the squared distance of numbers from their
     * means; [rows, 1].
     *
     * @param actions [rows, actionSize()]
     */
    Tensor imitationLoss(Tensor outputs, DeviceArray actions);

    /** Numbers per row that determine the distribution. */
    int parameterCount();

    /**
     * The numbers that determine each row's distribution, whether or not they depend on the state.
     *
     * @param outputs [rows, outputs()]
     * @return [rows, parameterCount()]
     */
    Tensor parameters(Tensor outputs);

    /**
     * The Fisher matrix of each row's distribution, by its {@link #parameters}, times the row's tangent.
     *
     * @param parameters [rows, parameterCount()], as {@code tangents} and the result
     */
    Tensor fisherProduct(Tensor parameters, Tensor tangents);

    /** KL(from || to) of each row, in nats; both are {@link #parameters}; [rows, 1]. */
    Tensor divergence(Tensor from, Tensor to);

    /** Tensors that the loss depends on, and its gradient for each. */
    record Loss(List<Tensor> inputs, List<Tensor> gradients) {}
}
