// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/** {@code y = activation(x W + b)}. */
public final class Linear {
    private final Parameter weight;
    private final Parameter bias;
    private final Activation activation;

    /** A layer from {@code in} to {@code out} elements with bias 0; parameters {@code name.weight, name.bias}. */
    public Linear(Parameters parameters, String name, int in, int out, Initializer initializer, Activation activation) {
        this.weight = parameters.declare(name + ".weight", initializer, in, out);
        this.bias = parameters.declare(name + ".bias", Initializer.zeros(), out);
        this.activation = activation;
    }

    /** Without activation. */
    public Linear(Parameters parameters, String name, int in, int out, Initializer initializer) {
        this(parameters, name, in, out, initializer, Activation.NONE);
    }

    /** [..., in] to [..., out]. */
    public Tensor apply(Tensor x) {
        return x.linear(x.tape().use(weight), x.tape().use(bias), activation);
    }

    /** What layers of the same sizes and without activation give, in one go: each [..., in] to [..., out]. */
    static List<Tensor> apply(List<Linear> layers, List<Tensor> inputs) {
        Tape tape = inputs.get(0).tape();
        return Tensor.linear(
                inputs,
                layers.stream().map(layer -> tape.use(layer.weight)).toList(),
                layers.stream().map(layer -> tape.use(layer.bias)).toList());
    }

    /** What a layer without activation gives, plus {@code added}: [..., in] and [..., out] to [..., out]. */
    Tensor apply(Tensor x, @Nullable Tensor added) {
        return added == null
                ? apply(x)
                : x.linear(x.tape().use(weight), x.tape().use(bias), added);
    }
}
