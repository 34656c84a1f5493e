// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.PairKernels;
import org.jspecify.annotations.Nullable;

/**
 * Scores soft-capped to {@code S = c tanh(Z / c)} with the slopes {@code g = 1 - tanh^2(Z / c)} that their
 * derivatives take. Works on the group whose scores were computed last, of which it keeps what the hyperbolic tangents lack to
 * 1; where nothing is capped there is no object of this class.
 */
final class AttentionSoftcap {
    /** Caps between these leave tanh, slopes and what is divided by the cap in float32's range. */
    private static final double SMALLEST = 0x1p-60;

    private static final double LARGEST = 0x1p60;

    private final PairKernels kernels;
    private final float cap;

    private AttentionSoftcap(PairKernels kernels, double softcap) {
        this.kernels = kernels;
        cap = (float) softcap;
    }

    static boolean supports(AttentionSpec spec) {
        return spec.softcap() == 0 || spec.softcap() >= SMALLEST && spec.softcap() <= LARGEST;
    }

    static @Nullable AttentionSoftcap of(AttentionKernels kernels, AttentionSpec spec) {
        return spec.softcap() == 0 ? null : new AttentionSoftcap(kernels.pairs(), spec.softcap());
    }

    /** Caps the scores of the group, which start at {@code scores}. */
    void cap(AttentionScratch t, int scores) {
        kernels.softcap(cap, t.floats, scores, AttentionScratch.QUERIES, t.groupTo - t.groupFrom, t.tails);
    }

    /** Turns tangents of Z into those of S, and finds the tangents of the slopes. */
    void capTangents(AttentionScratch t, int tangents) {
        kernels.softcapTangents(
                cap, t.floats, tangents, AttentionScratch.QUERIES, t.groupTo - t.groupFrom, t.tails, t.slopeTangents);
    }

    /** Turns gradients of S into those of Z. */
    void capGradients(AttentionScratch t, int gradients) {
        kernels.softcapGradients(t.floats, gradients, AttentionScratch.QUERIES, t.groupTo - t.groupFrom, t.tails);
    }

    /** Likewise with their tangents, after {@link #capTangents}. */
    void capGradientTangents(AttentionScratch t, int gradients, int gradientTangents) {
        kernels.softcapGradientTangents(
                t.floats,
                gradients,
                gradientTangents,
                AttentionScratch.QUERIES,
                t.groupTo - t.groupFrom,
                t.tails,
                t.slopeTangents);
    }
}
