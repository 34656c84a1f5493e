package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.ScoreTerm;

/** Reads the part of a bias or mask that falls on a tile of pairs. */
record ScoreReader(CpuArray array, ScoreTerm extents) {

    /** Where the pair of query row {@code r} of the tile and its first key finds its number. */
    int index(SeriesTile t, int r) {
        return (int) (t.batch * extents.batchStride()
                + t.head * extents.headStride()
                + (t.firstQuery + r) * extents.queryStride()
                + (long) t.firstKey * extents.keyStride());
    }

    /** Index of the number of a pair. */
    int index(int batch, int head, int query, int key) {
        return array.offset
                + (int) (batch * extents.batchStride()
                        + head * extents.headStride()
                        + query * extents.queryStride()
                        + (long) key * extents.keyStride());
    }

    /** Writes the numbers of query row {@code r} to that row of {@code pairs}. */
    void read(SeriesTile t, int r, double[] pairs) {
        int row = r * t.keys;
        if (extents.keyStride() == 0) {
            Arrays.fill(pairs, row, row + t.keys, Elements.get(array, index(t, r)));
        } else {
            Elements.read(array, index(t, r), pairs, row, t.keys);
        }
    }

    /** Adds the numbers of query row {@code r} to that row of {@code pairs}. */
    void add(SeriesTile t, int r, double[] pairs) {
        int row = r * t.keys;
        if (extents.keyStride() == 0) {
            double number = Elements.get(array, index(t, r));
            for (int j = 0; j < t.keys; j++) {
                pairs[row + j] += number;
            }
        } else {
            Elements.read(array, index(t, r), t.row, 0, t.keys);
            for (int j = 0; j < t.keys; j++) {
                pairs[row + j] += t.row[j];
            }
        }
    }

    /** Adds a tile of pairs to {@code sums}, which has an element for each of the array. */
    void reduce(SeriesTile t, double[] pairs, double[] sums) {
        for (int r = 0; r < t.queries; r++) {
            int row = r * t.keys;
            int at = index(t, r);
            if (extents.keyStride() == 0) {
                double sum = 0;
                for (int j = 0; j < t.keys; j++) {
                    sum += pairs[row + j];
                }
                sums[at] += sum;
            } else {
                for (int j = 0; j < t.keys; j++) {
                    sums[at + j] += pairs[row + j];
                }
            }
        }
    }
}
