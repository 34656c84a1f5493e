// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

/**
 * The inner loops of softcap and dropout: what becomes of pairs of queries and keys one by one. They work on one group of a
 * tile of {@link AttentionKernels}, a vector for each key, {@code stride} apart. What they keep beside the tile is packed:
 * vectors of neighbouring keys touch.
 */
public interface PairKernels {

    /**
     * Replaces scores by {@code cap tanh(score / cap)}, to about 3 units in the last place, and writes what these hyperbolic
     * tangents lack to 1: {@code 1 - |tanh|} with the score's sign, from which slopes follow without cancellation.
     *
     * @param cap in the scores' units, and so are the results
     * @param tails written, packed
     */
    void softcap(float cap, float[] tile, int scores, int stride, int keys, int tails);

    /**
     * Replaces tangents Z. of uncapped scores by those of capped ones, {@code T = g Z.} with the slope {@code g = 1 -
     * tanh^2 = |tail| (2 - |tail|)}, and writes the tangents of the slopes, {@code g. = -2 tanh T / cap}.
     *
     * @param slopeTangents written, packed
     */
    void softcapTangents(float cap, float[] tile, int tangents, int stride, int keys, int tails, int slopeTangents);

    /** Replaces gradients dS of capped scores by those of uncapped ones, {@code g dS}; what is 0 stays so. */
    void softcapGradients(float[] tile, int gradients, int stride, int keys, int tails);

    /**
     * Replaces gradients dS of capped scores and their tangents by those of uncapped ones, {@code g dS} and {@code g dS. + g.
     * dS}; what is 0 takes no part.
     */
    void softcapGradientTangents(
            float[] tile, int gradients, int gradientTangents, int stride, int keys, int tails, int slopeTangents);

    /**
     * Writes what dropout multiplies probabilities by: 0 where the uniform number {@code query 2^34 + key} of the stream of
     * {@link org.fovea.backend.math.Philox} is below {@code dropout}, else {@code kept}. Numbers come by fours, so up to three
     * vectors before the first and after the last are overwritten too.
     *
     * @param words room for four vectors or more, best for those of some tens of keys
     * @param factors written, packed, from {@code offset} on
     */
    void dropoutFactors(
            long seed,
            int stream,
            int firstQuery,
            int firstKey,
            int keys,
            float dropout,
            float kept,
            int[] words,
            float[] factors,
            int offset);

    /** Multiplies pairs by packed factors. */
    void multiply(float[] tile, int pairs, int stride, int keys, int factors);
}
