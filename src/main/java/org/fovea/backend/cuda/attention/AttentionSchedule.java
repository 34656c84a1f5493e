// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.fovea.backend.BackendSettings.Precision;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.memory.DType;

/**
 * One way to cut an attention into blocks: an instance that {@code kernels/attention} compiles. {@code schedule.cuh} there
 * explains the choices.
 *
 * @param kind what it computes, and how
 * @param storage element type of queries, keys, values and what has their layout
 * @param precision of products, where that is F32
 * @param dim longest head dim of keys and of values
 * @param rows stationary rows per block, or {@link #WHOLE_HEAD}
 * @param moving moving rows per step
 * @param longest the most rows of a whole head
 * @param parts blocks that share out the columns of the results of the same rows
 */
public record AttentionSchedule(
        Kind kind, DType storage, Precision precision, int dim, int rows, int moving, int longest, int parts) {

    /** In place of the number of stationary rows: a block has whole heads. */
    static final int WHOLE_HEAD = 0;

    /** Threads of a tiled block of 64 rows and more, and of one that has several short heads. */
    private static final int THREADS = 128;

    /** {@code WHOLE_HEAD_ROWS} of {@code schedule.cuh}, and {@code TANGENT_ROWS} of {@code tangent_whole.cu}. */
    private static final int LONGEST_WHOLE_HEAD = 160;

    private static final int LONGEST_OF_TANGENTS = 128;

    /** Rows of the shortest step, and of heads that it is best for. */
    private static final int SHORT = 16;

    /** What the smallest supported cards grant a block. */
    private static final int MAX_SHARED_BYTES = 99 * 1024;

    /** Between rows in shared memory. */
    private static final int PADDING_BYTES = 16;

    /** Bytes of a row from which on there is only one buffer for moving rows. */
    private static final int LONG_ROW_BYTES = 512;

    /** A kind of kernel, and what it has in shared memory. */
    public enum Kind {
        FORWARD(1, 2, false, 0),
        FORWARD_WHOLE(3, 0),
        BACKWARD_ROWS(2, 2, true, 0),
        BACKWARD_COLUMNS(2, 2, true, 3),
        BACKWARD_WHOLE(5, 3),
        JVP(2, 4, false, 0),
        TANGENT_ROWS(4, 4, false, 0),
        TANGENT_COLUMNS(4, 4, false, 0),
        TANGENT_WHOLE(8, 0);

        private final boolean whole;
        private final int stationaryTiles;
        private final int movingTiles;
        private final boolean doubleBuffered;
        private final int scalars;

        /** Whether its stationary rows are keys, of all the heads that share them. */
        boolean ofKeys() {
            return this == BACKWARD_COLUMNS || this == TANGENT_COLUMNS;
        }

        /** Whether a block has the gradients of one head's keys, which then no other head may share. */
        private boolean ownsKeys() {
            return this == BACKWARD_WHOLE || this == TANGENT_WHOLE;
        }

        /**
         * A tiled kind.
         *
         * @param doubleBuffered whether there are two buffers for each moving tile, if rows are short enough
         * @param scalars floats per moving row
         */
        Kind(int stationaryTiles, int movingTiles, boolean doubleBuffered, int scalars) {
            whole = false;
            this.stationaryTiles = stationaryTiles;
            this.movingTiles = movingTiles;
            this.doubleBuffered = doubleBuffered;
            this.scalars = scalars;
        }

        /**
         * A kind that has whole heads.
         *
         * @param scalars floats per row
         */
        Kind(int tiles, int scalars) {
            whole = true;
            stationaryTiles = tiles;
            movingTiles = 0;
            doubleBuffered = false;
            this.scalars = scalars;
        }
    }

    /** From this many elements of a row on there are no instances of a lower precision. */
    private static final int LONGEST = 256;

    /**
     * Every instance of a kind, the best of those that fit first.
     *
     * @param precision of products of F32; the longest rows have full precision in any case
     */
    public static List<AttentionSchedule> all(Kind kind, DType storage, Precision precision) {
        boolean half = storage.isHalf();
        Instances all = new Instances(kind, storage, half ? Precision.FLOAT32 : precision, new ArrayList<>());
        if (kind == Kind.TANGENT_WHOLE) {
            all.ofDim16(LONGEST_OF_TANGENTS).whole(32, 32, LONGEST_OF_TANGENTS).whole(64, 32, LONGEST_OF_TANGENTS);
        } else if (kind.whole) {
            all.ofDim16(LONGEST_WHOLE_HEAD)
                    .whole(32, SHORT, SHORT)
                    .whole(32, 32, LONGEST_WHOLE_HEAD)
                    .whole(64, 32, LONGEST_WHOLE_HEAD);
        } else if (kind == Kind.FORWARD) {
            all.tiled(32, half ? 128 : 64, 64, 1)
                    .tiled(64, half ? 128 : 64, half ? 64 : 32, 1)
                    .tiled(128, half ? 128 : 64, 32, 1)
                    .tiled(256, 64, half ? 32 : 16, 1);
        } else if (kind.movingTiles == 4) {
            int longParts = kind == Kind.JVP ? 1 : 2;
            all.tiled(32, 64, 32, 1)
                    .tiled(64, 64, half ? 32 : 16, 1)
                    .tiled(128, half ? 64 : 32, 16, 1)
                    .tiled(256, half ? 32 : 16, 16, longParts);
        } else {
            boolean columns = kind == Kind.BACKWARD_COLUMNS;
            all.tiled(32, 64, 32, 1)
                    .tiled(64, half ? 128 : 64, half && columns ? 16 : 32, 1)
                    .tiled(128, 64, half ? 32 : 16, 1)
                    .tiled(256, half ? 64 : 32, 16, columns ? 2 : 1);
        }
        return all.list;
    }

    private record Instances(Kind kind, DType storage, Precision precision, List<AttentionSchedule> list) {
        /** What a policy's attention has; long steps of F32 alone. */
        Instances ofDim16(int longest) {
            whole(16, SHORT, SHORT);
            return storage.isHalf() ? this : whole(16, 32, longest);
        }

        Instances whole(int dim, int moving, int longest) {
            list.add(new AttentionSchedule(kind, storage, precision, dim, WHOLE_HEAD, moving, longest, 1));
            return this;
        }

        Instances tiled(int dim, int rows, int moving, int parts) {
            Precision possible = dim < LONGEST ? precision : Precision.FLOAT32;
            list.add(new AttentionSchedule(kind, storage, possible, dim, rows, moving, 0, parts));
            return this;
        }
    }

    public String kernelName() {
        String type = lowerCase(storage) + (precision == Precision.FLOAT32 ? "" : "_by_" + lowerCase(precision));
        return "attention_" + lowerCase(kind) + "_" + type + "_d" + dim + (kind.whole ? "" : "_r" + rows) + "_m"
                + moving;
    }

    private static String lowerCase(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private int rowBytes() {
        return dim * storage.bytes() + PADDING_BYTES;
    }

    /**
     * Whether this does for a problem.
     *
     * @param longestDim the greater of the head dims
     * @param longestHead the greater number of rows of a head, of queries or of keys
     * @param group heads that share a key head
     */
    public boolean fits(int longestDim, int longestHead, int group) {
        if (longestDim > dim || group > 1 && kind.ownsKeys()) {
            return false;
        }
        return !kind.whole || longestHead <= longest && headBytes(longestHead) <= MAX_SHARED_BYTES;
    }

    /** Rows of each tile of a whole head. */
    private int headRows(int length) {
        return Math.max(1, (length + moving - 1) / moving) * moving;
    }

    private int headBytes(int length) {
        return headRows(length) * (kind.stationaryTiles * rowBytes() + kind.scalars * Float.BYTES);
    }

    /** Heads in a block: enough for {@link #THREADS} threads, two per row. */
    private int headsPerBlock(int length) {
        return Math.max(1, Math.min(THREADS / (2 * headRows(length)), MAX_SHARED_BYTES / headBytes(length)));
    }

    /** Threads of a block. */
    public int threads(int length) {
        return kind.whole ? headsPerBlock(length) * 2 * headRows(length) : Math.min(2 * rows, THREADS);
    }

    /** Dynamic shared memory of a block. */
    public int sharedBytes(int length) {
        if (kind.whole) {
            return headsPerBlock(length) * headBytes(length);
        }
        int buffers = kind.doubleBuffered && dim * storage.bytes() < LONG_ROW_BYTES ? 2 : 1;
        int movingRows = buffers * moving;
        // Beside four stationary tiles of the longest rows, two pairs of moving tiles take turns in the place of one.
        boolean phased = kind.stationaryTiles == 4 && dim * storage.bytes() > LONG_ROW_BYTES;
        return (kind.stationaryTiles * rows + (phased ? 2 : kind.movingTiles) * movingRows) * rowBytes()
                + kind.scalars * movingRows * Float.BYTES;
    }

    /** The most dynamic shared memory that a launch asks for. */
    int maxSharedBytes() {
        return kind.whole ? MAX_SHARED_BYTES : sharedBytes(0);
    }

    /** Blocks for {@code heads} heads of {@code stationary} stationary rows each. */
    long blocks(long heads, int stationary, int length) {
        return kind.whole ? Grid.tiles(heads, headsPerBlock(length)) : heads * Grid.tiles(stationary, rows) * parts;
    }
}
