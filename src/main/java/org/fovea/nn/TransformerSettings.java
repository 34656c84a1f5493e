// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.jspecify.annotations.Nullable;

/**
 * Sizes and variants of a transformer block.
 *
 * @param width length of an element
 * @param heads into which it is divided for attention
 * @param feedForwardWidth hidden units of the feed-forward layer
 * @param rotary encoding of positions in queries and keys; null if positions are encoded in the input
 * @param similarity by which queries and keys are compared
 * @param gated whether sublayers are merged by GTrXL's gate instead of a sum
 */
public record TransformerSettings(
        int width,
        int heads,
        int feedForwardWidth,
        @Nullable RotaryEncoding rotary,
        Similarity similarity,
        boolean gated) {

    /** Feed-forward of four times the width, rotary positions, dot products, plain residuals. */
    public static TransformerSettings of(int width, int heads) {
        return new TransformerSettings(width, heads, 4 * width, RotaryEncoding.STANDARD, Similarity.DOT, false);
    }

    /** The same with or without GTrXL's gates. */
    public TransformerSettings withGates(boolean newGated) {
        return new TransformerSettings(width, heads, feedForwardWidth, rotary, similarity, newGated);
    }

    /** The same with another encoding of positions in queries and keys, or null for none. */
    public TransformerSettings withRotary(@Nullable RotaryEncoding newRotary) {
        return new TransformerSettings(width, heads, feedForwardWidth, newRotary, similarity, gated);
    }

    /** The same with another measure of similarity. */
    public TransformerSettings withSimilarity(Similarity newSimilarity) {
        return new TransformerSettings(width, heads, feedForwardWidth, rotary, newSimilarity, gated);
    }

    /** Length of an element's part in one head. */
    public int headDim() {
        return width / heads;
    }
}
