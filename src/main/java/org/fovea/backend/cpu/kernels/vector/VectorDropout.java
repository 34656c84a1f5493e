// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The numbers of {@link org.fovea.backend.math.Philox} that drop pairs of queries and keys, one query per lane. With number {@code
 * query 2^34 + key} the counter of a block is {@code (key / 4, query)}, and its four words belong to four neighbouring keys.
 *
 * <p>Half a round is {@code before ^= U(x) ^ key; x = L(x)}, U and L being the upper and lower half of a product with a
 * constant, and moves the roles of the words on by one: so words change where they stand.
 */
final class VectorDropout {
    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final int LANES = INTS.length();

    private static final int MULTIPLIER_0 = 0xD2511F53;
    private static final int MULTIPLIER_1 = 0xCD9E8D57;
    private static final int WEYL_0 = 0x9E3779B9;
    private static final int WEYL_1 = 0xBB67AE85;
    private static final int ROUNDS = 10;

    private VectorDropout() {}

    /** {@link org.fovea.backend.cpu.kernels.PairKernels#dropoutFactors}. */
    static void factors(
            long seed,
            int stream,
            int firstQuery,
            int firstKey,
            int keys,
            float dropout,
            float kept,
            int[] words,
            float[] factors,
            int offset) {
        int chunk = words.length / LANES / 4 * 4;
        int end = firstKey + keys;
        for (int key = firstKey & -4; key < end; key += chunk) {
            int rows = (Math.min(chunk, end - key) + 3) / 4 * 4;
            draw(seed, stream, firstQuery, key >>> 2, words, rows * LANES);
            int target = offset + (key - firstKey) * LANES;
            // Numbers are (n + 1/2) 2^-23: those below `dropout` are the ones with n below this.
            int threshold = (int) Math.ceil(dropout * 0x1p23 - 0.5);
            for (int w = 0; w < rows * LANES; w += LANES) {
                IntVector n = IntVector.fromArray(INTS, words, w).lanewise(VectorOperators.LSHR, 9);
                IntVector.zero(INTS)
                        .blend(Float.floatToRawIntBits(kept), n.compare(VectorOperators.GE, threshold))
                        .reinterpretAsFloats()
                        .intoArray(factors, target + w);
            }
        }
    }

    /**
     * Writes the words of blocks from {@code firstBlock} on. All in one method, too long to be inlined anywhere: the compiler
     * gives up on keeping vectors in registers where one method comes to hold more than some thirty operations.
     */
    private static void draw(long seed, int stream, int firstQuery, int firstBlock, int[] words, int count) {
        // Two rounds mix words that all queries share with words that all keys share: little is left to do for every
        // pair.
        int key0 = (int) seed;
        int key1 = (int) (seed >>> 32);
        long ofStream = (MULTIPLIER_1 & 0xFFFFFFFFL) * (stream & 0xFFFFFFFFL);
        for (int i = 0; i < LANES; i++) {
            int a = firstQuery + i ^ (int) (ofStream >>> 32) ^ key0;
            long product = (MULTIPLIER_0 & 0xFFFFFFFFL) * (a & 0xFFFFFFFFL);
            words[2 * LANES + i] = (int) (product >>> 32);
            words[3 * LANES + i] = (int) product;
        }
        IntVector second = IntVector.fromArray(INTS, words, 2 * LANES);
        IntVector third = IntVector.fromArray(INTS, words, 3 * LANES);
        for (int w = 0, block = firstBlock; w < count; w += 4 * LANES, block++) {
            long ofBlock = (MULTIPLIER_0 & 0xFFFFFFFFL) * block;
            long b = (ofBlock >>> 32 ^ key1) & 0xFFFFFFFFL;
            long ofB = (MULTIPLIER_1 & 0xFFFFFFFFL) * b;
            IntVector.broadcast(INTS, (int) (ofB >>> 32) ^ (int) ofStream ^ key0 + WEYL_0)
                    .intoArray(words, w);
            IntVector.broadcast(INTS, (int) ofB).intoArray(words, w + LANES);
            second.lanewise(VectorOperators.XOR, (int) ofBlock ^ key1 + WEYL_1).intoArray(words, w + 2 * LANES);
            third.intoArray(words, w + 3 * LANES);
        }
        for (int half = 2 * 2; half < 2 * ROUNDS; half++) {
            int round = half / 2;
            int multiplier = half % 2 == 0 ? MULTIPLIER_1 : MULTIPLIER_0;
            int key = half % 2 == 0 ? key0 + round * WEYL_0 : key1 + round * WEYL_1;
            int x = (half % 2 == 0 ? round : round + 2) % 4 * LANES;
            int before = (x + 3 * LANES) % (4 * LANES);
            int lowerFactor = multiplier & 0xFFFF;
            int upperFactor = multiplier >>> 16;
            for (int w = 0; w < count; w += 4 * LANES) {
                IntVector word = IntVector.fromArray(INTS, words, x + w);
                // Products of halves of 16 bits: not every machine multiplies lanes of 64.
                IntVector upper = word.lanewise(VectorOperators.LSHR, 16);
                IntVector lower = word.and(0xFFFF);
                IntVector middle = lower.mul(lowerFactor)
                        .lanewise(VectorOperators.LSHR, 16)
                        .add(upper.mul(lowerFactor));
                IntVector carried = lower.mul(upperFactor).add(middle.and(0xFFFF));
                upper.mul(upperFactor)
                        .add(middle.lanewise(VectorOperators.LSHR, 16))
                        .add(carried.lanewise(VectorOperators.LSHR, 16))
                        .lanewise(VectorOperators.XOR, key)
                        .lanewise(VectorOperators.XOR, IntVector.fromArray(INTS, words, before + w))
                        .intoArray(words, before + w);
                word.mul(multiplier).intoArray(words, x + w);
            }
        }
    }
}
