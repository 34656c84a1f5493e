// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.PairKernels;
import org.jspecify.annotations.Nullable;

/**
 * The factors by which dropout multiplies probabilities. Works on the group whose scores were computed last; where nothing is dropped
 * there is no object of this class.
 */
final class AttentionDropout {
    private final PairKernels kernels;
    private final AttentionSpec spec;

    private AttentionDropout(PairKernels kernels, AttentionSpec spec) {
        this.kernels = kernels;
        this.spec = spec;
    }

    static @Nullable AttentionDropout of(AttentionKernels kernels, AttentionSpec spec) {
        return spec.dropout() == 0 ? null : new AttentionDropout(kernels.pairs(), spec);
    }

    /** Finds the factors of the group from query {@code lane} of the tile on. */
    void draw(AttentionScratch t, int lane) {
        if (t.groupFrom < t.groupTo) {
            kernels.dropoutFactors(
                    spec.seed(),
                    t.head,
                    t.firstQuery + lane,
                    t.groupFrom,
                    t.groupTo - t.groupFrom,
                    (float) spec.dropout(),
                    (float) (1 / (1 - spec.dropout())),
                    t.words,
                    t.floats,
                    t.factors);
        }
    }

    /** Multiplies the group's probabilities, or gradients of what became of them, by the factors. */
    void apply(AttentionScratch t, int pairs) {
        kernels.multiply(t.floats, pairs, AttentionScratch.QUERIES, t.groupTo - t.groupFrom, t.factors);
    }
}
