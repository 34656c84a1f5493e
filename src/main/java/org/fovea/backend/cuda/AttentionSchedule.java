package org.fovea.backend.cuda;

import java.util.ArrayList;
import java.util.List;

/**
 * One way to cut an attention into blocks: an instance that {@code kernels/attention} compiles, see {@code schedule.cuh}
 * there.
 *
 * @param kind what it computes
 * @param storage element type of the rows, as kernels name it
 * @param dim longest head dim of keys and of values
 * @param rows stationary rows per block, or {@link #WHOLE_HEAD}
 * @param moving moving rows per step
 */
record AttentionSchedule(Kind kind, String storage, int dim, int rows, int moving) {

    /** In place of the number of stationary rows: a block has whole heads. */
    static final int WHOLE_HEAD = 0;

    /** Threads of a tiled block, and of one that has several short heads. */
    static final int THREADS = 128;

    private static final int LONGEST_WHOLE_HEAD = 128;

    /** What the smallest supported cards grant a block. */
    private static final int MAX_SHARED_BYTES = 99 * 1024;

    private static final int PADDING_BYTES = 16;

    /**
     * What a kernel computes, and how many tiles it has in shared memory: stationary and moving ones, those of a whole
     * head, and float scalars per row beside them.
     */
    enum Kind {
        /** Output and log-sum-exp. */
        FORWARD("forward", 1, 2, 0, 3, 0);

        private final String kernel;
        private final int stationaryTiles;
        private final int movingTiles;
        private final int movingScalars;
        private final int wholeTiles;
        private final int wholeScalars;

        Kind(String kernel, int stationaryTiles, int movingTiles, int movingScalars, int wholeTiles, int wholeScalars) {
            this.kernel = kernel;
            this.stationaryTiles = stationaryTiles;
            this.movingTiles = movingTiles;
            this.movingScalars = movingScalars;
            this.wholeTiles = wholeTiles;
            this.wholeScalars = wholeScalars;
        }
    }

    /** Every instance of a kind, from the one that is best where it fits to the one that always does. */
    static List<AttentionSchedule> all(Kind kind, String storage) {
        boolean wide = !storage.equals("f32");
        List<AttentionSchedule> all = new ArrayList<>();
        all.add(new AttentionSchedule(kind, storage, 16, WHOLE_HEAD, 16));
        all.add(new AttentionSchedule(kind, storage, 32, WHOLE_HEAD, 16));
        all.add(new AttentionSchedule(kind, storage, 32, WHOLE_HEAD, 32));
        all.add(new AttentionSchedule(kind, storage, 64, WHOLE_HEAD, 32));
        switch (kind) {
            case FORWARD -> {
                all.add(new AttentionSchedule(kind, storage, 32, wide ? 128 : 64, 64));
                all.add(new AttentionSchedule(kind, storage, 64, wide ? 128 : 64, wide ? 64 : 32));
                all.add(new AttentionSchedule(kind, storage, 128, wide ? 128 : 64, wide ? 64 : 32));
                all.add(new AttentionSchedule(kind, storage, 256, 64, wide ? 32 : 16));
            }
        }
        return all;
    }

    String kernelName() {
        String tile = rows == WHOLE_HEAD ? "_whole_%s_d%d_m%d" : "_%s_d%d_r%d_m%d";
        return rows == WHOLE_HEAD
                ? "attention_" + kind.kernel + tile.formatted(storage, dim, moving)
                : "attention_" + kind.kernel + tile.formatted(storage, dim, rows, moving);
    }

    private int rowBytes() {
        return dim * (storage.equals("f32") ? Float.BYTES : Short.BYTES) + PADDING_BYTES;
    }

    /** Whether rows of {@code longestDim} fit and, if whole heads are asked for, heads of {@code longest} rows. */
    boolean fits(int longestDim, int longest) {
        if (rows != WHOLE_HEAD) {
            return longestDim <= dim;
        }
        // Tiles of 16 rows are for heads that have no more.
        return longestDim <= dim
                && longest <= LONGEST_WHOLE_HEAD
                && (moving > 16 || longest <= 16)
                && headBytes(longest) <= MAX_SHARED_BYTES;
    }

    /** Rows of a head's tiles. */
    private int headRows(int longest) {
        return Math.max(1, (longest + moving - 1) / moving) * moving;
    }

    private int headBytes(int longest) {
        return headRows(longest) * (kind.wholeTiles * rowBytes() + kind.wholeScalars * Float.BYTES);
    }

    /** Heads in a block of the whole-head schedule: enough for {@link #THREADS} threads. */
    private int headsPerBlock(int longest) {
        int threads = 2 * headRows(longest);
        return Math.max(1, Math.min(THREADS / threads, MAX_SHARED_BYTES / headBytes(longest)));
    }

    /** Threads of a block for heads whose longer sequence has {@code longest} rows. */
    int threads(int longest) {
        return rows == WHOLE_HEAD ? headsPerBlock(longest) * 2 * headRows(longest) : THREADS;
    }

    /** Dynamic shared memory of a block. */
    int sharedBytes(int longest) {
        return rows == WHOLE_HEAD
                ? headsPerBlock(longest) * headBytes(longest)
                : (kind.stationaryTiles * rows + kind.movingTiles * moving) * rowBytes()
                        + kind.movingScalars * moving * Float.BYTES;
    }

    /** Blocks for {@code heads} heads of {@code stationary} rows each. */
    long blocks(long heads, int stationary, int longest) {
        return rows == WHOLE_HEAD
                ? CudaMath.tiles(heads, headsPerBlock(longest))
                : heads * CudaMath.tiles(stationary, rows);
    }

    /** The most shared memory that {@link #sharedBytes} may ask for. */
    int maxSharedBytes() {
        return rows == WHOLE_HEAD ? MAX_SHARED_BYTES : sharedBytes(0);
    }
}
