// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionBand;

/**
 * The tiles of queries of a packed batch: each is of one sequence, or of queries in none, which see nothing.
 *
 * @param starts of the tiles, and the number of queries
 * @param bands what each tile's queries see
 */
record PackedTiles(int[] starts, AttentionBand[] bands) {

    static PackedTiles of(List<AttentionBand> sequences, int queries) {
        List<Integer> starts = new ArrayList<>();
        List<AttentionBand> bands = new ArrayList<>();
        // Its own, since tiles are told apart by their bands.
        AttentionBand nothing = AttentionBand.ofNothing();
        int query = 0;
        for (AttentionBand band : sequences) {
            cut(starts, bands, query, band.firstQuery(), nothing);
            cut(starts, bands, band.firstQuery(), band.queryEnd(), band);
            query = band.queryEnd();
        }
        cut(starts, bands, query, queries, nothing);
        starts.add(queries);
        return new PackedTiles(
                starts.stream().mapToInt(Integer::intValue).toArray(), bands.toArray(AttentionBand[]::new));
    }

    private static void cut(List<Integer> starts, List<AttentionBand> bands, int from, int to, AttentionBand band) {
        for (int start = from; start < to; start += AttentionScratch.QUERIES) {
            starts.add(start);
            bands.add(band);
        }
    }
}
