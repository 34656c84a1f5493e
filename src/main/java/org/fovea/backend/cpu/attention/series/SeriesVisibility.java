// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** Which keys each query sees, in the terms of {@link AttentionSpec}: a range of keys, and what hides some of them. */
final class SeriesVisibility {
    private final AttentionShape shape;
    private final AttentionSpec spec;
    private final @Nullable CpuArray querySegments;
    private final @Nullable CpuArray keySegments;
    private final @Nullable CpuArray keyLengths;
    private final @Nullable CpuArray querySequences;
    private final @Nullable CpuArray keySequences;
    private final @Nullable ScoreReader mask;

    SeriesVisibility(AttentionCall<CpuArray> call) {
        AttentionMask<CpuArray> in = call.mask();
        shape = call.shape();
        spec = call.spec();
        querySegments = in.querySegments();
        keySegments = in.keySegments();
        keyLengths = in.keyLengths();
        querySequences = in.querySequences();
        keySequences = in.keySequences();
        mask = ScoreReader.of(in.scores());
    }

    /** Finds the range of keys of each query of a tile, and that of all. */
    void place(SeriesTile t) {
        int length =
                keyLengths == null ? shape.keys() : clamp(keyLengths.ints[keyLengths.offset + t.batch], shape.keys());
        if (querySequences == null || keySequences == null) {
            for (int r = 0; r < t.queries; r++) {
                place(t, r, t.firstQuery + r, shape.queries(), 0, length);
            }
        } else {
            placeInSequences(t, querySequences, keySequences, length);
        }
        t.from = Integer.MAX_VALUE;
        t.to = 0;
        for (int r = 0; r < t.queries; r++) {
            if (t.low[r] < t.high[r]) {
                t.from = Math.min(t.from, t.low[r]);
                t.to = Math.max(t.to, t.high[r]);
            }
        }
        t.from = Math.min(t.from, t.to);
        Arrays.fill(t.alive, 0, t.queries, false);
    }

    private void placeInSequences(SeriesTile t, CpuArray ofQueries, CpuArray ofKeys, int length) {
        int sequences = ofQueries.length - 1;
        int s = 0;
        for (int r = 0; r < t.queries; r++) {
            int query = t.firstQuery + r;
            while (s < sequences && start(ofQueries, s + 1, shape.queries()) <= query) {
                s++;
            }
            int first = s < sequences ? start(ofQueries, s, shape.queries()) : shape.queries();
            if (first > query) {
                t.position[r] = 0;
                t.low[r] = 0;
                t.high[r] = 0;
                continue;
            }
            int rows = start(ofQueries, s + 1, shape.queries()) - first;
            int firstKey = start(ofKeys, s, shape.keys());
            int valid = Math.max(0, Math.min(start(ofKeys, s + 1, shape.keys()), length) - firstKey);
            place(t, r, query - first, rows, firstKey, valid);
        }
    }

    private static int start(CpuArray sequences, int s, int rows) {
        return clamp(sequences.ints[sequences.offset + s], rows);
    }

    private static int clamp(int x, int most) {
        return Math.max(0, Math.min(x, most));
    }

    /** Places a query that is the {@code query}-th of {@code queries} beside the keys [firstKey, firstKey + valid). */
    private void place(SeriesTile t, int r, int query, int queries, int firstKey, int valid) {
        long position = (long) spec.firstQueryPosition(queries, valid) + query;
        long low = spec.windowLeft() == AttentionSpec.UNLIMITED ? 0 : position - spec.windowLeft();
        long high = spec.windowRight() == AttentionSpec.UNLIMITED ? valid : position + spec.windowRight() + 1;
        t.position[r] = firstKey + position;
        t.low[r] = firstKey + (int) Math.max(0, Math.min(low, valid));
        t.high[r] = firstKey + (int) Math.max(0, Math.min(high, valid));
    }

    /**
     * Finds which pairs of the tile are hidden; where there is a mask, reads it.
     *
     * @return whether any pair is visible
     */
    boolean look(SeriesTile t) {
        boolean anyVisible = false;
        boolean anyHidden = false;
        int last = t.firstKey + t.keys;
        for (int r = 0; r < t.queries; r++) {
            int row = r * t.keys;
            int low = Math.max(t.firstKey, Math.min(t.low[r], last)) - t.firstKey;
            int high = Math.max(low, Math.min(t.high[r], last) - t.firstKey);
            Arrays.fill(t.hidden, row, row + low, true);
            Arrays.fill(t.hidden, row + low, row + high, false);
            Arrays.fill(t.hidden, row + high, row + t.keys, true);
            if (querySegments != null && keySegments != null && low < high) {
                int segment = querySegments.ints[querySegments.offset + t.batch * shape.queries() + t.firstQuery + r];
                int at = keySegments.offset + t.batch * shape.keys() + t.firstKey;
                for (int j = low; j < high; j++) {
                    t.hidden[row + j] = keySegments.ints[at + j] != segment;
                }
            }
            if (mask != null) {
                mask.read(t, r, t.mask, row);
                for (int j = low; j < high; j++) {
                    t.hidden[row + j] |= t.mask[row + j] == Double.NEGATIVE_INFINITY;
                }
            }
            boolean rowVisible = false;
            for (int j = 0; j < t.keys; j++) {
                anyHidden |= t.hidden[row + j];
                rowVisible |= !t.hidden[row + j];
            }
            t.alive[r] |= rowVisible;
            anyVisible |= rowVisible;
        }
        t.someHidden = anyHidden;
        return anyVisible;
    }
}
