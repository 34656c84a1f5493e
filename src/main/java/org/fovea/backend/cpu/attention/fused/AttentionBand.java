// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionSpec;

/**
 * The keys each query of one batch row may see, segments aside: query i sees {@code [low(i), high(i))}. Both ends never
 * fall as i grows, so the keys seen by neighbouring queries form one range, and so do the queries that see neighbouring
 * keys.
 *
 * @param position of query 0 among the keys
 * @param first key that query 0 sees, and {@code end}, one past the last, if there were keys without end on both sides
 * @param firstKey first key there is: those before belong to other sequences
 * @param validKeys one past the last key before the padding
 */
record AttentionBand(int position, int first, int end, int firstKey, int validKeys) {
    /** Beyond any number of rows that fit in an array, and small enough to add to one. */
    private static final long FAR = 1 << 30;

    static AttentionBand of(AttentionSpec spec, int queries, int keys, int keyLength) {
        int validKeys = Math.max(0, Math.min(keyLength, keys));
        long position = Math.min(FAR, spec.firstQueryPosition(queries, validKeys));
        boolean noLeft = spec.windowLeft() == AttentionSpec.UNLIMITED;
        boolean noRight = spec.windowRight() == AttentionSpec.UNLIMITED;
        long first = noLeft ? -FAR : Math.max(-FAR, position - spec.windowLeft());
        long end = noRight ? FAR : Math.min(FAR, position + spec.windowRight() + 1);
        return new AttentionBand((int) position, (int) first, (int) end, 0, validKeys);
    }

    /** The same where queries are counted from {@code firstQuery} before this one's, and keys likewise. */
    AttentionBand at(int firstQuery, int key) {
        int shift = key - firstQuery;
        return new AttentionBand(position + shift, first + shift, end + shift, key, key + validKeys);
    }

    /** First key that query i sees. */
    int low(int i) {
        return Math.max(firstKey, Math.min(first + i, validKeys));
    }

    /** One past the last key that query i sees; at most {@link #low} if it sees none. */
    int high(int i) {
        return Math.max(firstKey, Math.min(end + i, validKeys));
    }

    /** First query that sees key j or a later one; may lie outside the queries. */
    int firstQuerySeeing(int j) {
        return j + 1 - end;
    }

    /** One past the last query that sees key j or an earlier one; may lie outside the queries. */
    int endOfQueriesSeeing(int j) {
        return j + 1 - first;
    }
}
