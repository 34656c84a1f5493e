// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

/**
 * The relative positions that pairs of a query and a key it sees may have, position of the key less that of the query as in
 * {@link AttentionSpec}: as many as a matrix of queries and keys has diagonals, or fewer.
 *
 * @param first the least
 */
public record RelativePositions(int first, int count) {

    /** Positions beyond this count as this one. */
    private static final long FAR = 1 << 30;

    /** Those that an attention may have. */
    public static RelativePositions of(AttentionShape shape, AttentionSpec spec) {
        long queries = shape.queries();
        long keys = shape.keys();
        boolean toTheEnd = spec.alignment() == AttentionSpec.Alignment.BOTTOM_RIGHT;
        // Rows and sequences have their own ends, but none more queries and keys than there are.
        long first = toTheEnd ? 1 - keys : 1 - queries - Math.min(spec.pastKeys(), FAR);
        long last = first + queries + keys - 2;
        if (spec.windowLeft() != AttentionSpec.UNLIMITED) {
            first = Math.max(first, -spec.windowLeft());
        }
        if (spec.windowRight() != AttentionSpec.UNLIMITED) {
            last = Math.min(last, spec.windowRight());
        }
        return new RelativePositions((int) first, (int) Math.max(0, last - first + 1));
    }
}
