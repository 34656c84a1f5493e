package org.fovea.attention;

import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * What hides keys from queries or shifts their scores, beside the {@link org.fovea.backend.attention.AttentionSpec}; no gradient flows
 * into any of it. Ids and lengths are I32 tensors.
 *
 * @param querySegments [batch, queries] or null: a query sees only keys of its own segment
 * @param keySegments [batch, keys], given if and only if querySegments is
 * @param keyLengths [batch] or null: keys from this one on are padding
 * @param scores added to the scores, [batch or 1, heads or 1, queries or 1, keys or 1], or null; -infinity hides a key
 * @param alibiSlopes [heads] or null: scores fall by this much for each position between query and key
 * @param querySequences [sequences + 1] or null: where the sequences of a packed batch start, and the last one ends
 * @param keySequences [sequences + 1], given if and only if querySequences is
 */
public record AttentionMask(
        @Nullable Tensor querySegments,
        @Nullable Tensor keySegments,
        @Nullable Tensor keyLengths,
        @Nullable Tensor scores,
        @Nullable Tensor alibiSlopes,
        @Nullable Tensor querySequences,
        @Nullable Tensor keySequences) {

    /** Nothing is hidden. */
    public static final AttentionMask NONE = new AttentionMask(null, null, null);

    /** Checks that segments and sequences come in pairs, and the rank of the scores. */
    public AttentionMask {
        if ((querySegments == null) != (keySegments == null)) {
            throw new IllegalArgumentException("an attention mask needs both query and key segments, or neither");
        }
        if ((querySequences == null) != (keySequences == null)) {
            throw new IllegalArgumentException("an attention mask needs both query and key sequences, or neither");
        }
        if (scores != null && scores.rank() != 4) {
            throw new ShapeException("attention mask", "scores " + scores + ", expected [batch, heads, queries, keys]");
        }
    }

    /** Segments and lengths alone. */
    public AttentionMask(@Nullable Tensor querySegments, @Nullable Tensor keySegments, @Nullable Tensor keyLengths) {
        this(querySegments, keySegments, keyLengths, null, null, null, null);
    }

    /** Queries see keys of their own segment. */
    public static AttentionMask segments(Tensor querySegments, Tensor keySegments) {
        return new AttentionMask(querySegments, keySegments, null);
    }

    /** Only the first keys of each batch row are there. */
    public static AttentionMask keyLengths(Tensor keyLengths) {
        return new AttentionMask(null, null, keyLengths);
    }

    /** A batch of sequences one behind the other, without padding. */
    public static AttentionMask packed(Tensor querySequences, Tensor keySequences) {
        return new AttentionMask(null, null, null, null, null, querySequences, keySequences);
    }

    /** The same with {@code newScores} added to the scores. */
    public AttentionMask withScores(Tensor newScores) {
        return new AttentionMask(
                querySegments, keySegments, keyLengths, newScores, alibiSlopes, querySequences, keySequences);
    }

    /** The same with only those keys visible for which {@code allowed}, I32 or floating and of the extents of scores, is not 0. */
    public AttentionMask withAllowed(Tensor allowed) {
        Tape tape = allowed.tape();
        return withScores(allowed.add(0).select(tape.full(0), tape.full(Double.NEGATIVE_INFINITY)));
    }

    /** The same with scores that fall with the distance of query and key (Press et al. 2022, arXiv:2108.12409). */
    public AttentionMask withAlibi(Tensor slopes) {
        return new AttentionMask(querySegments, keySegments, keyLengths, scores, slopes, querySequences, keySequences);
    }
}
