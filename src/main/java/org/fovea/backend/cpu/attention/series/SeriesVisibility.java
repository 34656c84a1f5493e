// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionBand;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** The keys that each query of a tile sees: those of its {@link AttentionBand} but what segments or the mask hide. */
final class SeriesVisibility {
    private final AttentionShape shape;
    private final @Nullable CpuArray querySegments;
    private final @Nullable CpuArray keySegments;
    private final AttentionCall<CpuArray> call;

    /** Of the sequences of a packed batch; null if rows are not packed. */
    private final AttentionBand @Nullable [] sequences;

    private final @Nullable ScoreReader mask;

    SeriesVisibility(AttentionCall<CpuArray> call) {
        AttentionMask<CpuArray> in = call.mask();
        shape = call.shape();
        this.call = call;
        querySegments = in.querySegments();
        keySegments = in.keySegments();
        sequences =
                in.querySequences() == null ? null : CpuBands.ofSequences(call).toArray(AttentionBand[]::new);
        mask = ScoreReader.of(in.scores());
    }

    /** Finds the range of keys of each query of a tile, and that of all. */
    void place(SeriesTile t) {
        if (sequences == null) {
            AttentionBand row = AttentionBand.ofRow(call.spec(), shape, CpuBands.keyLength(call, t.batch));
            for (int r = 0; r < t.queries; r++) {
                place(t, r, row);
            }
        } else {
            placeInSequences(t, sequences);
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

    private static void placeInSequences(SeriesTile t, AttentionBand[] sequences) {
        int s = 0;
        for (int r = 0; r < t.queries; r++) {
            int query = t.firstQuery + r;
            while (s < sequences.length && sequences[s].queryEnd() <= query) {
                s++;
            }
            if (s < sequences.length && sequences[s].firstQuery() <= query) {
                place(t, r, sequences[s]);
            } else {
                t.position[r] = 0;
                t.low[r] = 0;
                t.high[r] = 0;
            }
        }
    }

    private static void place(SeriesTile t, int r, AttentionBand band) {
        int query = t.firstQuery + r;
        t.position[r] = band.position() + query;
        t.low[r] = band.low(query);
        t.high[r] = band.high(query);
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
