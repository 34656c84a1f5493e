// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/** Layer normalisation (Ba et al. 2016, arXiv:1607.06450) of the last axis, with gain and bias. */
public final class LayerNorm {
    private static final float EPSILON = 1e-5f;

    private final Parameter gain;
    private final Parameter bias;

    /** A layer for rows of {@code width}; parameters {@code name.gain, name.bias}. */
    public LayerNorm(Parameters parameters, String name, int width) {
        this.gain = parameters.declare(name + ".gain", Initializer.ones(), width);
        this.bias = parameters.declare(name + ".bias", Initializer.zeros(), width);
    }

    /** [..., width] to the same. */
    public Tensor apply(Tensor x) {
        return x.layerNorm(x.tape().use(gain), x.tape().use(bias), EPSILON);
    }
}
