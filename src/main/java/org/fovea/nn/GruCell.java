// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * A gated recurrent unit (Cho et al. 2014, arXiv:1406.1078), with the reset gate behind the product as cuDNN has it:
 *
 * <pre>
 *   r = sigmoid(x W_r + h U_r);  z = sigmoid(x W_z + h U_z);  n = tanh(x W_n + r (h U_n + b));  h' = n + z (h - n)
 * </pre>
 */
public final class GruCell {
    private final int width;
    private final Linear fromInput;
    private final Parameter fromState;
    private final Parameter candidateBias;

    /** A cell whose parameters' names begin with {@code name}; input and state have {@code width} elements. */
    public GruCell(Parameters parameters, String name, int width) {
        this.width = width;
        Initializer orthogonal = Initializer.orthogonal(1);
        this.fromInput = new Linear(parameters, name + ".input", width, 3 * width, orthogonal);
        this.fromState = parameters.declare(name + ".state.weight", orthogonal, width, 3 * width);
        this.candidateBias = parameters.declare(name + ".state.candidate_bias", Initializer.zeros(), width);
    }

    /** What inputs [..., width] contribute to the gates, [..., 3 width], for {@link #next}: all steps at once. */
    public Tensor contributions(Tensor inputs) {
        return fromInput.apply(inputs);
    }

    /**
     * The next state.
     *
     * @param contribution of the step's input, [rows, 3 width]
     * @param state [rows, width]
     */
    public Tensor next(Tensor contribution, Tensor state) {
        List<Tensor> recurrent =
                state.linear(state.tape().use(fromState), null, Activation.NONE).split(1, 2 * width, width);
        List<Tensor> added = contribution.split(1, 2 * width, width);
        List<Tensor> gates = added.get(0).add(recurrent.get(0)).sigmoid().split(1, width, width);
        Tensor reset = gates.get(0);
        Tensor keep = gates.get(1);
        Tensor remembered = recurrent.get(1).add(state.tape().use(candidateBias));
        Tensor candidate = added.get(1).add(reset.multiply(remembered)).tanh();
        return candidate.add(keep.multiply(state.subtract(candidate)));
    }
}
