// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.memory.CpuArray;

/**
 * The tiles of queries of a packed batch: each is of one sequence, or of queries in none, which see nothing.
 *
 * @param starts of the tiles, and the number of queries
 * @param bands what each tile's queries see
 */
record PackedTiles(int[] starts, AttentionBand[] bands) {

    /** @param querySequences where each sequence starts and the last one ends, as are {@code keySequences} */
    static PackedTiles of(
            AttentionSpec spec, AttentionShape shape, CpuArray querySequences, CpuArray keySequences, int keyLength) {
        List<Integer> starts = new ArrayList<>();
        List<AttentionBand> bands = new ArrayList<>();
        // Its own, since tiles are told apart by their bands.
        AttentionBand nothing = new AttentionBand(0, 0, 0, 0, 0);
        int query = clamp(querySequences, 0, 0, shape.queries());
        int key = clamp(keySequences, 0, 0, shape.keys());
        cut(starts, bands, 0, query, nothing);
        for (int s = 1; s < querySequences.length; s++) {
            int queryEnd = clamp(querySequences, s, query, shape.queries());
            int keyEnd = clamp(keySequences, s, key, shape.keys());
            AttentionBand band = AttentionBand.of(spec, queryEnd - query, keyEnd - key, keyLength - key);
            cut(starts, bands, query, queryEnd, band.at(query, key));
            query = queryEnd;
            key = keyEnd;
        }
        cut(starts, bands, query, shape.queries(), nothing);
        starts.add(shape.queries());
        return new PackedTiles(
                starts.stream().mapToInt(Integer::intValue).toArray(), bands.toArray(AttentionBand[]::new));
    }

    private static int clamp(CpuArray sequences, int s, int least, int most) {
        return Math.max(least, Math.min(sequences.ints[sequences.offset + s], most));
    }

    private static void cut(List<Integer> starts, List<AttentionBand> bands, int from, int to, AttentionBand band) {
        for (int start = from; start < to; start += AttentionScratch.QUERIES) {
            starts.add(start);
            bands.add(band);
        }
    }
}
