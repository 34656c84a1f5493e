package org.fovea.attention;

import org.fovea.backend.AttentionInputs;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What hides keys from queries beside the {@link org.fovea.backend.AttentionSpec}: segments (episodes, documents) and
 * padding. I32 tensors.
 *
 * @param querySegments [batch, queries] or null: a query sees only keys of its own segment
 * @param keySegments [batch, keys], given if and only if querySegments is
 * @param keyLengths [batch] or null: keys from this one on are padding
 */
public record AttentionMask(
        @Nullable Tensor querySegments,
        @Nullable Tensor keySegments,
        @Nullable Tensor keyLengths) {

    /** Nothing is hidden. */
    public static final AttentionMask NONE = new AttentionMask(null, null, null);

    /** Checks that segments come as a pair. */
    public AttentionMask {
        if ((querySegments == null) != (keySegments == null)) {
            throw new IllegalArgumentException("an attention mask needs both query and key segments, or neither");
        }
    }

    /** Queries see keys of their own segment. */
    public static AttentionMask segments(Tensor querySegments, Tensor keySegments) {
        return new AttentionMask(querySegments, keySegments, null);
    }

    /** Only the first keys of each batch row are there. */
    public static AttentionMask keyLengths(Tensor keyLengths) {
        return new AttentionMask(null, null, keyLengths);
    }

    AttentionInputs inputs(Tensor query, Tensor key, Tensor value) {
        return new AttentionInputs(
                query.array(),
                key.array(),
                value.array(),
                querySegments == null ? null : querySegments.array(),
                keySegments == null ? null : keySegments.array(),
                keyLengths == null ? null : keyLengths.array());
    }
}
