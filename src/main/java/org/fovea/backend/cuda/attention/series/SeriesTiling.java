// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import org.fovea.backend.cuda.driver.Grid;

/**
 * The blocks of a kernel of {@code kernels/series/series.cuh}, which explains the tiles.
 *
 * @param instance which of its kernels
 * @param depth columns of a chunk of rows in shared memory
 * @param columns of a block's results, a multiple of {@code depth}
 * @param sharedBytes dynamic shared memory of a block
 * @param threads of a block
 */
record SeriesTiling(Instance instance, int depth, int columns, int sharedBytes, int threads) {

    /** Coefficients of a series that there is room for. */
    static final int MAX_PLANES = 16;

    /** In place of the rows of a head, for tiles of full size. */
    static final int ANY_ROWS = Integer.MAX_VALUE;

    /** Most threads of a block. */
    static final int THREADS = 256;

    /** Threads of a block of a short head, which has a quarter of the pairs. */
    private static final int SHORT_THREADS = 64;

    /** What the smallest supported cards grant a block. */
    static final int MAX_SHARED_BYTES = 99 * 1024;

    private static final int[] DEPTHS = {64, 32, 16, 8, 4};

    /** Kernels of one source, for numbers and for series. */
    enum Instance {
        ONE(32),
        FEW(32),
        MANY(16);

        /** Rows of a tile, queries and keys alike. */
        final int tile;

        Instance(int tile) {
            this.tile = tile;
        }

        /** For so many planes of heads of no more than {@code rows} queries and keys. */
        static Instance of(int planes, int rows) {
            return planes > 4 || rows <= MANY.tile ? MANY : planes == 1 ? ONE : FEW;
        }
    }

    /**
     * For results of {@code width} columns: as few blocks as can be that compute the same scores, then long chunks.
     *
     * @param rows the greater number of queries or keys
     * @param softcap whether there is one, whose derivative takes room
     * @param longest the greatest number of columns of rows that are multiplied
     */
    static SeriesTiling forColumns(int planes, int rows, boolean softcap, int longest, int width) {
        Instance instance = Instance.of(planes, rows);
        SeriesTiling best = null;
        for (int depth : DEPTHS) {
            if (depth == DEPTHS[0] && planes > 1 || depth / 2 >= Math.max(4, longest) && depth > 4) {
                continue;
            }
            int room = MAX_SHARED_BYTES - bytes(instance, planes, softcap, depth, 0);
            int most = room / (planes * instance.tile * Float.BYTES) / depth * depth;
            int columns = Math.min(most, (width + depth - 1) / depth * depth);
            if (columns >= depth && (best == null || parts(width, columns) < parts(width, best.columns))) {
                best = new SeriesTiling(
                        instance,
                        depth,
                        columns,
                        bytes(instance, planes, softcap, depth, columns),
                        threads(planes, rows));
            }
        }
        if (best == null) {
            throw new IllegalStateException("no tiling of " + planes + " planes fits into shared memory");
        }
        return best;
    }

    /** For results that are laid out like a tile of scores, or for none. */
    static SeriesTiling forScores(int planes, int rows, boolean softcap, int longest, boolean sums) {
        Instance instance = Instance.of(planes, rows);
        int sumsPerRow = sums ? instance.tile + 4 : 0;
        for (int depth : DEPTHS) {
            int bytes = bytes(instance, planes, softcap, depth, sumsPerRow);
            if (bytes <= MAX_SHARED_BYTES && (depth / 2 < Math.max(4, longest) || depth == 4)) {
                return new SeriesTiling(instance, depth, depth, bytes, threads(planes, rows));
            }
        }
        throw new IllegalStateException("no tiling of " + planes + " planes fits into shared memory");
    }

    private static int threads(int planes, int rows) {
        return planes <= 4 && rows <= Instance.MANY.tile ? SHORT_THREADS : THREADS;
    }

    /** Of all that {@code SeriesTile} has in shared memory. */
    private static int bytes(Instance instance, int planes, boolean softcap, int depth, int sumsPerRow) {
        int tile = instance.tile;
        int perRow = 2 * (depth + 4) + (softcap ? 3 : 2) * (tile + 4) + sumsPerRow + 2;
        return Float.BYTES * tile * (planes * perRow + tile / 4 + 7);
    }

    /** Blocks that share out {@code width} columns. */
    int parts(int width) {
        return parts(width, columns);
    }

    private static int parts(int width, int columns) {
        return (width + columns - 1) / columns;
    }

    /** Tiles of so many rows. */
    long tiles(int rows) {
        return Grid.tiles(rows, instance.tile);
    }
}
