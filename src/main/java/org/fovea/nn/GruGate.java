// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * The gated residual of GTrXL (Parisotto et al. 2019, arXiv:1910.06764, GRU type): how much of what a sublayer says
 * about an element replaces it.
 *
 * <pre>
 *   r = sigmoid(y W_r + x U_r);  z = sigmoid(y W_z + x U_z - b);  h = tanh(y W_h + (r x) U_h)
 *   output = (1 - z) x + z h
 * </pre>
 */
final class GruGate {
    /** Starts the gate nearly closed, and so the block near the identity. */
    private static final double BIAS = 2;

    private final Parameter resetFromUpdate;
    private final Parameter resetFromElement;
    private final Parameter gateFromUpdate;
    private final Parameter gateFromElement;
    private final Parameter candidateFromUpdate;
    private final Parameter candidateFromElement;
    private final Parameter bias;

    GruGate(Parameters parameters, String name, int width) {
        this.resetFromUpdate = matrix(parameters, name + ".reset.update", width);
        this.resetFromElement = matrix(parameters, name + ".reset.element", width);
        this.gateFromUpdate = matrix(parameters, name + ".gate.update", width);
        this.gateFromElement = matrix(parameters, name + ".gate.element", width);
        this.candidateFromUpdate = matrix(parameters, name + ".candidate.update", width);
        this.candidateFromElement = matrix(parameters, name + ".candidate.element", width);
        this.bias = parameters.declare(name + ".bias", Initializer.constant(BIAS), width);
    }

    /** Merges the {@code update} of a sublayer into {@code element}, both [..., width]. */
    Tensor apply(Tensor element, Tensor update) {
        Tensor reset = product(update, resetFromUpdate)
                .add(product(element, resetFromElement))
                .sigmoid();
        Tensor gate = product(update, gateFromUpdate)
                .add(product(element, gateFromElement))
                .subtract(element.tape().use(bias))
                .sigmoid();
        Tensor candidate = product(update, candidateFromUpdate)
                .add(product(reset.multiply(element), candidateFromElement))
                .tanh();
        return element.add(gate.multiply(candidate.subtract(element)));
    }

    private static Tensor product(Tensor x, Parameter weight) {
        return x.linear(x.tape().use(weight), null, Activation.NONE);
    }

    private static Parameter matrix(Parameters parameters, String name, int width) {
        return parameters.declare(name, Initializer.orthogonal(1), width, width);
    }
}
