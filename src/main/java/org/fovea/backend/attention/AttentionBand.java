// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntUnaryOperator;

/**
 * The keys that queries which belong together may see, those of a batch row or of one of its sequences: window, alignment,
 * lengths and sequences of {@link AttentionSpec} and {@link AttentionMask}. What is left are segments, and scores of -infinity.
 * Query i, of {@code [firstQuery, queryEnd)}, sees the keys {@code [low(i), high(i))}. Both ends never fall as i grows, so the
 * keys seen by neighbouring queries form one range, and so do the queries that see neighbouring keys.
 *
 * @param position of query 0 among the keys, were it one of these; query i is i further on
 * @param first key that query 0 would see, and {@code end}, one past the last, if there were keys without end on both sides
 * @param firstKey first key there is: those before belong to other sequences
 * @param keyEnd one past the last key before the padding, or before the next sequence
 */
public record AttentionBand(int firstQuery, int queryEnd, long position, int first, int end, int firstKey, int keyEnd) {

    /** Beyond any number of rows that fit in an array, and small enough to add to one. */
    private static final long FAR = 1 << 30;

    /** Of queries that see nothing. */
    public static AttentionBand ofNothing() {
        return new AttentionBand(0, 0, 0, 0, 0, 0, 0);
    }

    /**
     * Of a batch row.
     *
     * @param keyLength keys before the padding; clamped
     */
    public static AttentionBand ofRow(AttentionSpec spec, AttentionShape shape, int keyLength) {
        return of(spec, 0, shape.queries(), 0, clamp(keyLength, 0, shape.keys()));
    }

    /**
     * Of each sequence of a packed batch, in order; a query that is in none sees nothing.
     *
     * @param starts one more than there are sequences
     * @param queryStart where the query sequences start, and the last one ends; clamped
     * @param keyStart likewise for keys
     * @param keyLength keys before the padding
     */
    public static List<AttentionBand> ofSequences(
            AttentionSpec spec,
            AttentionShape shape,
            int starts,
            IntUnaryOperator queryStart,
            IntUnaryOperator keyStart,
            int keyLength) {
        List<AttentionBand> bands = new ArrayList<>();
        int query = clamp(queryStart.applyAsInt(0), 0, shape.queries());
        int key = clamp(keyStart.applyAsInt(0), 0, shape.keys());
        for (int s = 1; s < starts; s++) {
            int queryEnd = clamp(queryStart.applyAsInt(s), query, shape.queries());
            int keyEnd = clamp(keyStart.applyAsInt(s), key, shape.keys());
            bands.add(of(spec, query, queryEnd, key, clamp(keyLength, key, keyEnd)));
            query = queryEnd;
            key = keyEnd;
        }
        return bands;
    }

    private static AttentionBand of(AttentionSpec spec, int firstQuery, int queryEnd, int firstKey, int keyEnd) {
        long position =
                (long) spec.firstQueryPosition(queryEnd - firstQuery, keyEnd - firstKey) + firstKey - firstQuery;
        long first = spec.windowLeft() == AttentionSpec.UNLIMITED ? -FAR : position - spec.windowLeft();
        long end = spec.windowRight() == AttentionSpec.UNLIMITED ? FAR : position + spec.windowRight() + 1;
        return new AttentionBand(firstQuery, queryEnd, position, near(first), near(end), firstKey, keyEnd);
    }

    private static int clamp(int x, int least, int most) {
        return Math.max(least, Math.min(x, most));
    }

    private static int near(long x) {
        return (int) Math.max(-FAR, Math.min(x, FAR));
    }

    /** {@link #position} near enough to index by, as {@link RelativePositions} counts. */
    public int nearPosition() {
        int shift = firstKey - firstQuery;
        return near(position - shift) + shift;
    }

    /** First key that query i sees. */
    public int low(int i) {
        return Math.max(firstKey, Math.min(first + i, keyEnd));
    }

    /** One past the last key that query i sees; at most {@link #low} if it sees none. */
    public int high(int i) {
        return Math.max(firstKey, Math.min(end + i, keyEnd));
    }

    /** First query that sees key j or a later one; may lie outside the queries. */
    public int firstQuerySeeing(int j) {
        return j + 1 - end;
    }

    /** One past the last query that sees key j or an earlier one; may lie outside the queries. */
    public int endOfQueriesSeeing(int j) {
        return j + 1 - first;
    }
}
