// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;
import org.jspecify.annotations.Nullable;

/** Reads the part of a bias or mask that falls on a tile of pairs. */
public record ScoreReader(ScoreBias<CpuArray> extents) {

    /** Of a bias or mask; null if there is none. */
    public static @Nullable ScoreReader of(@Nullable ScoreBias<CpuArray> bias) {
        return bias == null ? null : new ScoreReader(bias);
    }

    /** Of an array like that of the bias, such as its gradient; null if there is none. */
    public static @Nullable ScoreReader of(@Nullable ScoreBias<CpuArray> bias, @Nullable CpuArray array) {
        return bias == null || array == null ? null : new ScoreReader(bias.map(x -> array));
    }

    public CpuArray array() {
        return extents.array();
    }

    /** Where the pair of query row {@code r} of the tile and its first key finds its number, if the term is by pair. */
    int index(SeriesTile t, int r) {
        return (int) (matrix(t) + (t.firstQuery + r) * extents.queryStride() + (long) t.firstKey * extents.keyStride());
    }

    /** Where the numbers of the tile's head start. */
    private long matrix(SeriesTile t) {
        return t.batch * extents.batchStride() + t.head * extents.headStride();
    }

    /** Index of the number of a pair, if the term is by pair. */
    public int index(int batch, int head, int query, int key) {
        return array().offset
                + (int) (batch * extents.batchStride()
                        + head * extents.headStride()
                        + query * extents.queryStride()
                        + (long) key * extents.keyStride());
    }

    /** Index of the number of a head's pairs at a relative position, if the term is by that. */
    public int indexAt(int batch, int head, long position) {
        long element = extents.reach() + Math.max(-extents.reach(), Math.min(position, extents.reach()));
        return array().offset + (int) (batch * extents.batchStride() + head * extents.headStride() + element);
    }

    /** The tile's first key that stands at a relative position to query row {@code r}, or after it. */
    private static int firstKeyAt(SeriesTile t, int r, long position) {
        return (int) Math.max(0, Math.min(t.position[r] - t.firstKey + position, t.keys));
    }

    /** Where key {@code j} of the tile, if the term is relative and it is within the reach, finds its number. */
    private int near(SeriesTile t, int r, int j) {
        return (int) (matrix(t) + extents.reach() + t.firstKey + j - t.position[r]);
    }

    /** Writes the numbers of query row {@code r} to {@code numbers} from {@code to} on. */
    void read(SeriesTile t, int r, double[] numbers, int to) {
        if (extents.isRelative()) {
            int near = firstKeyAt(t, r, -extents.reach());
            int far = firstKeyAt(t, r, extents.reach() + 1L);
            int first = (int) matrix(t);
            Arrays.fill(numbers, to, to + near, Elements.get(array(), first));
            if (near < far) {
                Elements.read(array(), near(t, r, near), numbers, to + near, far - near);
            }
            Arrays.fill(numbers, to + far, to + t.keys, Elements.get(array(), first + 2 * extents.reach()));
        } else if (extents.keyStride() == 0) {
            Arrays.fill(numbers, to, to + t.keys, Elements.get(array(), index(t, r)));
        } else {
            Elements.read(array(), index(t, r), numbers, to, t.keys);
        }
    }

    /** Adds the numbers of query row {@code r} to that row of {@code pairs}. */
    void add(SeriesTile t, int r, double[] pairs) {
        read(t, r, t.row, 0);
        int row = r * t.keys;
        for (int j = 0; j < t.keys; j++) {
            pairs[row + j] += t.row[j];
        }
    }

    /** Adds a tile of pairs to {@code sums}, which has an element for each of the array. */
    void reduce(SeriesTile t, double[] pairs, double[] sums) {
        for (int r = 0; r < t.queries; r++) {
            int row = r * t.keys;
            if (extents.isRelative()) {
                int near = firstKeyAt(t, r, -extents.reach());
                int far = firstKeyAt(t, r, extents.reach() + 1L);
                int first = (int) matrix(t);
                sums[first] += sum(pairs, row, row + near);
                add(pairs, row + near, sums, near(t, r, near), far - near);
                sums[first + 2 * extents.reach()] += sum(pairs, row + far, row + t.keys);
            } else if (extents.keyStride() == 0) {
                sums[index(t, r)] += sum(pairs, row, row + t.keys);
            } else {
                add(pairs, row, sums, index(t, r), t.keys);
            }
        }
    }

    private static double sum(double[] x, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += x[i];
        }
        return sum;
    }

    private static void add(double[] x, int from, double[] sums, int to, int count) {
        for (int i = 0; i < count; i++) {
            sums[to + i] += x[from + i];
        }
    }
}
