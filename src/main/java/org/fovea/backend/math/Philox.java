// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

/**
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): random numbers as a function of
 * their position, so every device and every cut of the work yields the same stream.
 *
 * <p>Number n of stream s under seed k is word {@code n mod 4} of the block with counter words {@code (lo(n / 4), hi(n /
 * 4), lo(s), hi(s))} and key words {@code (lo(k), hi(k))}.
 */
public final class Philox {
    private static final int MULTIPLIER_0 = 0xD2511F53;
    private static final int MULTIPLIER_1 = 0xCD9E8D57;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private Philox() {}

    /** The 32 random bits at a position. */
    public static int bits(long seed, long stream, long index) {
        int[] words = new int[4];
        block(seed, stream, index >>> 2, words);
        return words[(int) (index & 3)];
    }

    /** Writes the bits at the first {@code target.length} positions of a stream, each block computed once. */
    public static void fill(long seed, long stream, int[] target) {
        int[] words = new int[4];
        for (int index = 0; index < target.length; index += 4) {
            block(seed, stream, index >>> 2, words);
            System.arraycopy(words, 0, target, index, Math.min(4, target.length - index));
        }
    }

    /** The four words of a block: the bits at positions {@code 4 block} to {@code 4 block + 3}. */
    private static void block(long seed, long stream, long block, int[] words) {
        int c0 = (int) block;
        int c1 = (int) (block >>> 32);
        int c2 = (int) stream;
        int c3 = (int) (stream >>> 32);
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int round = 0; round < ROUNDS; round++) {
            long product0 = (MULTIPLIER_0 & 0xFFFFFFFFL) * (c0 & 0xFFFFFFFFL);
            long product1 = (MULTIPLIER_1 & 0xFFFFFFFFL) * (c2 & 0xFFFFFFFFL);
            c0 = (int) (product1 >>> 32) ^ c1 ^ k0;
            c1 = (int) product1;
            c2 = (int) (product0 >>> 32) ^ c3 ^ k1;
            c3 = (int) product0;
            k0 += WEYL_0;
            k1 += WEYL_1;
        }
        words[0] = c0;
        words[1] = c1;
        words[2] = c2;
        words[3] = c3;
    }

    /** Uniform number in (0, 1) with 23 bits: {@code (bits >>> 9 + 0.5) 2^-23}, exact in float32. */
    public static float uniform(long seed, long stream, long index) {
        return uniform(bits(seed, stream, index));
    }

    private static float uniform(int bits) {
        return ((bits >>> 9) + 0.5f) * 0x1p-23f;
    }

    /** Writes uniform numbers {@code [first, first + count)} of a stream, each block computed once. */
    public static void fill(long seed, long stream, long first, float[] target, int offset, int count) {
        fill(seed, stream, first, target, offset, count, new int[4]);
    }

    /**
     * The same.
     *
     * @param words room for the four of a block
     */
    public static void fill(long seed, long stream, long first, float[] target, int offset, int count, int[] words) {
        for (int done = 0; done < count; ) {
            long index = first + done;
            block(seed, stream, index >>> 2, words);
            for (int word = (int) (index & 3); word < 4 && done < count; word++) {
                target[offset + done++] = uniform(words[word]);
            }
        }
    }
}
