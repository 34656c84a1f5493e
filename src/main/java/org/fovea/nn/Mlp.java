// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Linear layers with an activation after all but the last. */
public final class Mlp {
    private static final double HIDDEN_GAIN = Math.sqrt(2);

    private final List<Linear> layers = new ArrayList<>();

    /**
     * Layers {@code name.0, name.1, ...}, orthogonal with gain sqrt(2) but for the last.
     *
     * @param sizes of input, hidden layers and output
     * @param activation of the hidden layers
     * @param outputGain gain of the last layer's orthogonal weights
     */
    public Mlp(Parameters parameters, String name, int[] sizes, Activation activation, double outputGain) {
        if (sizes.length < 2) {
            throw new IllegalArgumentException("mlp " + name + " needs at least an input and an output size");
        }
        int last = sizes.length - 2;
        for (int i = 0; i <= last; i++) {
            layers.add(new Linear(
                    parameters,
                    name + "." + i,
                    sizes[i],
                    sizes[i + 1],
                    Initializer.orthogonal(i == last ? outputGain : HIDDEN_GAIN),
                    i == last ? Activation.NONE : activation));
        }
    }

    /** [..., first size] to [..., last size]. */
    public Tensor apply(Tensor x) {
        Tensor y = x;
        for (Linear layer : layers) {
            y = layer.apply(y);
        }
        return y;
    }
}
