// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.attention.Attention;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * A learned bias for each relative position of query and key and each head (Shaw et al. 2018, arXiv:1803.02155; added to the
 * scores as in T5, Raffel et al. 2020). All positions beyond the reach share one.
 */
public final class RelativePositionBias {
    private final Parameter table;

    /** Biases of 0 for relative positions {@code -reach .. reach}; parameter {@code name.table}, [1, heads, 2 reach + 1]. */
    public RelativePositionBias(Parameters parameters, String name, int heads, int reach) {
        if (reach < 0) {
            throw new IllegalArgumentException("relative position bias " + name + " can't reach " + reach);
        }
        this.table = parameters.declare(name + ".table", Initializer.zeros(), 1, heads, 2 * reach + 1);
    }

    /** The same attention with this bias, in place of any other. */
    public AttentionCall<Tensor> addTo(AttentionCall<Tensor> call) {
        return call.withBias(Attention.relativeBias(call.query().tape().use(table)));
    }
}
