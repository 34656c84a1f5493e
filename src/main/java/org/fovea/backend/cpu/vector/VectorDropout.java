package org.fovea.backend.cpu.vector;

import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * The numbers of {@link org.fovea.backend.Philox} that drop pairs of queries and keys, one query per lane. With number {@code
 * query 2^34 + key} the counter of a block is {@code (key / 4, query)}, and its four words belong to four neighbouring keys.
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

    /** {@link org.fovea.backend.cpu.AttentionKernels#dropoutFactors}. */
    static void factors(
            long seed,
            int stream,
            int firstQuery,
            int firstKey,
            int keys,
            float dropout,
            float kept,
            float[] factors,
            int offset) {
        // Numbers are (n + 1/2) 2^-23: those below `dropout` are the ones with n below this.
        int threshold = (int) Math.ceil(dropout * 0x1p23 - 0.5);
        int keptBits = Float.floatToRawIntBits(kept);
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        // Two rounds mix words that all queries share with words that all keys share: little of them is left for every pair.
        IntVector queries = IntVector.broadcast(INTS, firstQuery).addIndex(1);
        IntVector ofQuery = queries.lanewise(VectorOperators.XOR, upperHalf(stream, MULTIPLIER_1) ^ k0);
        IntVector word2 = upperHalf(ofQuery, MULTIPLIER_0);
        IntVector word3 = ofQuery.mul(MULTIPLIER_0);
        int word1 = stream * MULTIPLIER_1;
        int end = firstKey + keys;
        int row = offset - (firstKey & 3) * LANES;
        for (int key = firstKey & -4; key < end; key += 4, row += 4 * LANES) {
            int block = key >>> 2;
            int ofKey = upperHalf(block, MULTIPLIER_0) ^ k1;
            int key0 = k0 + WEYL_0;
            int key1 = k1 + WEYL_1;
            IntVector c0 = IntVector.broadcast(INTS, upperHalf(ofKey, MULTIPLIER_1) ^ word1 ^ key0);
            IntVector c1 = IntVector.broadcast(INTS, ofKey * MULTIPLIER_1);
            IntVector c2 = word2.lanewise(VectorOperators.XOR, block * MULTIPLIER_0 ^ key1);
            IntVector c3 = word3;
            for (int round = 2; round < ROUNDS; round++) {
                key0 += WEYL_0;
                key1 += WEYL_1;
                IntVector upper0 = upperHalf(c0, MULTIPLIER_0);
                IntVector upper1 = upperHalf(c2, MULTIPLIER_1);
                IntVector lower0 = c0.mul(MULTIPLIER_0);
                IntVector lower1 = c2.mul(MULTIPLIER_1);
                c0 = upper1.lanewise(VectorOperators.XOR, c1).lanewise(VectorOperators.XOR, key0);
                c1 = lower1;
                c2 = upper0.lanewise(VectorOperators.XOR, c3).lanewise(VectorOperators.XOR, key1);
                c3 = lower0;
            }
            store(c0, threshold, keptBits, factors, row);
            store(c1, threshold, keptBits, factors, row + LANES);
            store(c2, threshold, keptBits, factors, row + 2 * LANES);
            store(c3, threshold, keptBits, factors, row + 3 * LANES);
        }
    }

    private static int upperHalf(int x, int multiplier) {
        return (int) (Integer.toUnsignedLong(x) * Integer.toUnsignedLong(multiplier) >>> 32);
    }

    /** The upper 32 bits of unsigned products, from halves of 16: not every machine multiplies lanes of 64 bits. */
    private static IntVector upperHalf(IntVector x, int multiplier) {
        IntVector upper = x.lanewise(VectorOperators.LSHR, 16);
        IntVector lower = x.and(0xFFFF);
        IntVector middle = upper.mul(multiplier & 0xFFFF)
                .add(lower.mul(multiplier & 0xFFFF).lanewise(VectorOperators.LSHR, 16));
        IntVector carried = lower.mul(multiplier >>> 16).add(middle.and(0xFFFF));
        return upper.mul(multiplier >>> 16)
                .add(middle.lanewise(VectorOperators.LSHR, 16))
                .add(carried.lanewise(VectorOperators.LSHR, 16));
    }

    private static void store(IntVector bits, int threshold, int kept, float[] factors, int row) {
        IntVector.zero(INTS)
                .blend(kept, bits.lanewise(VectorOperators.LSHR, 9).compare(VectorOperators.GE, threshold))
                .reinterpretAsFloats()
                .intoArray(factors, row);
    }
}
