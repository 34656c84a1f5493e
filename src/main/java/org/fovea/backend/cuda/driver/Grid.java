// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

/** The arithmetic of launches: threads of a block and blocks of a grid. */
public final class Grid {
    /** Threads of a block of every kernel but products and attention. */
    public static final int THREADS = 256;

    public static final int WARP = 32;

    /** Elements of one 16-byte access. */
    public static final int VECTOR = 4;

    /** Elements of a row that a warp takes; a longer one has a block. As in kernels/common/rows.cuh. */
    private static final int WARP_ROW = 256;

    /** Most blocks of a launch that leaves sums over its rows, one per block, which the last block adds up. */
    private static final int SUMMING_BLOCKS = 128;

    private Grid() {}

    /** Tiles of {@code tile} elements that cover {@code extent}. */
    public static long tiles(long extent, int tile) {
        return (extent + tile - 1) / tile;
    }

    /** The power of two that is not less than {@code n}, at most a warp. */
    public static int lanes(long n) {
        return n >= WARP ? WARP : n <= 1 ? 1 : 2 * Integer.highestOneBit((int) n - 1);
    }

    /** Whether an address is one of 16-byte accesses. */
    public static boolean isAligned(long address) {
        return address % (VECTOR * Float.BYTES) == 0;
    }

    /** Blocks that take rows of this width once. */
    public static long rowBlocks(long rows, int width) {
        return width > WARP_ROW ? rows : tiles(rows, THREADS / lanes(width));
    }

    /** Blocks of a launch that leaves sums over its rows: of the shape alone, so that the sums are too. */
    public static int summingBlocks(long rows, int width) {
        return (int) Math.min(SUMMING_BLOCKS, rowBlocks(rows, width));
    }
}
