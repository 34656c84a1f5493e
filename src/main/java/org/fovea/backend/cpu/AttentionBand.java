package org.fovea.backend.cpu;

import org.fovea.backend.AttentionSpec;

/**
 * The keys each query of one batch row may see, segments aside: query i sees {@code [low(i), high(i))}. Both ends never
 * fall as i grows, so the keys seen by neighbouring queries form one range, and so do the queries that see neighbouring
 * keys.
 *
 * @param position of query 0 among the keys
 * @param left visible keys before a query's position
 * @param right visible keys after it
 * @param validKeys keys before the padding
 */
record AttentionBand(long position, long left, long right, int validKeys) {

    static AttentionBand of(AttentionSpec spec, int queries, int keys, int keyLength) {
        int validKeys = Math.max(0, Math.min(keyLength, keys));
        long unlimited = (long) keys + queries;
        return new AttentionBand(
                spec.firstQueryPosition(queries, validKeys),
                spec.windowLeft() == AttentionSpec.UNLIMITED ? unlimited : spec.windowLeft(),
                spec.windowRight() == AttentionSpec.UNLIMITED ? unlimited : spec.windowRight(),
                validKeys);
    }

    /** First key that query i sees. */
    int low(int i) {
        return (int) Math.max(0, Math.min(position + i - left, validKeys));
    }

    /** One past the last key that query i sees; at most {@link #low} if it sees none. */
    int high(int i) {
        return (int) Math.max(0, Math.min(position + i + right + 1, validKeys));
    }

    /** First query that sees key j or a later one; may lie outside the queries. */
    long firstQuerySeeing(int j) {
        return j - position - right;
    }

    /** One past the last query that sees key j or an earlier one; may lie outside the queries. */
    long endOfQueriesSeeing(int j) {
        return j - position + left + 1;
    }
}
