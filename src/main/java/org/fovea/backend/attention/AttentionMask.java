// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import org.jspecify.annotations.Nullable;

/**
 * The arrays that hide keys from queries or shift their scores, besides the {@link AttentionSpec}. Nothing is differentiated by it. Ids
 * and lengths are I32.
 *
 * @param scores added to the scores after the softcap, or null; -infinity hides a key
 * @param alibiSlopes [heads] or null: each score is reduced by the slope times the distance of query and key
 * @param querySegments [batch, queries] or null: a query sees only keys of its own segment (episode)
 * @param keySegments [batch, keys]; given if and only if querySegments is
 * @param keyLengths [batch] or null: the keys from this one on are padding. Values outside [0, keys] are clamped
 * @param querySequences [sequences + 1] or null: where each sequence of a packed batch starts, and the last one ends, in
 *     ascending order; batch must be 1. A query sees only keys of its own sequence
 * @param keySequences likewise for keys; given if and only if querySequences is
 */
public record AttentionMask<T>(
        @Nullable ScoreBias<T> scores,
        @Nullable T alibiSlopes,
        @Nullable T querySegments,
        @Nullable T keySegments,
        @Nullable T keyLengths,
        @Nullable T querySequences,
        @Nullable T keySequences) {

    /** Checks that segments and sequences come in pairs. */
    public AttentionMask {
        if ((querySegments == null) != (keySegments == null)) {
            throw new IllegalArgumentException("an attention mask needs both query and key segments, or neither");
        }
        if ((querySequences == null) != (keySequences == null)) {
            throw new IllegalArgumentException("an attention mask needs both query and key sequences, or neither");
        }
    }

    /** Nothing is hidden. */
    public static <T> AttentionMask<T> none() {
        return new AttentionMask<>(null, null, null, null, null, null, null);
    }

    /** Queries see keys of their own segment. */
    public static <T> AttentionMask<T> segments(T querySegments, T keySegments) {
        return new AttentionMask<>(null, null, querySegments, keySegments, null, null, null);
    }

    /** Only the first keys of each batch row are there. */
    public static <T> AttentionMask<T> keyLengths(T keyLengths) {
        return AttentionMask.<T>none().withKeyLengths(keyLengths);
    }

    /** A batch of sequences one behind the other, without padding. */
    public static <T> AttentionMask<T> packed(T querySequences, T keySequences) {
        return new AttentionMask<>(null, null, null, null, null, querySequences, keySequences);
    }

    /** The same with other scores added to the scores. */
    public AttentionMask<T> withScores(@Nullable ScoreBias<T> newScores) {
        return new AttentionMask<>(
                newScores, alibiSlopes, querySegments, keySegments, keyLengths, querySequences, keySequences);
    }

    /** The same with scores that fall with the distance of query and key (Press et al. 2022, arXiv:2108.12409). */
    public AttentionMask<T> withAlibi(@Nullable T slopes) {
        return new AttentionMask<>(
                scores, slopes, querySegments, keySegments, keyLengths, querySequences, keySequences);
    }

    /** The same with other lengths. */
    public AttentionMask<T> withKeyLengths(@Nullable T lengths) {
        return new AttentionMask<>(
                scores, alibiSlopes, querySegments, keySegments, lengths, querySequences, keySequences);
    }

    /** The same of other arrays. */
    public <R> AttentionMask<R> map(NamedFunction<? super T, ? extends R> change) {
        return new AttentionMask<>(
                scores == null ? null : scores.map(x -> change.apply("mask", x)),
                NamedFunction.ofNullable("alibiSlopes", alibiSlopes, change),
                NamedFunction.ofNullable("querySegments", querySegments, change),
                NamedFunction.ofNullable("keySegments", keySegments, change),
                NamedFunction.ofNullable("keyLengths", keyLengths, change),
                NamedFunction.ofNullable("querySequences", querySequences, change),
                NamedFunction.ofNullable("keySequences", keySequences, change));
    }
}
