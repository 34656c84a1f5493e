package org.fovea.backend.contract;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.memory.DType;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Attention of one new query over a ring buffer. */
interface DecodeContract extends ContractFixture {

    @Test
    default void decodingFollowsTheRing() {
        decodingFollowsTheRing(tested().memory().floatType());
    }

    @Test
    default void decodingFollowsARingInBf16() {
        decodingFollowsTheRing(DType.BF16);
    }

    @Test
    default void decodingFollowsARingInF16() {
        decodingFollowsTheRing(DType.F16);
    }

    private void decodingFollowsTheRing(DType type) {
        int[][] sizes = {{1, 1, 1, 1, 1}, {3, 2, 5, 6, 3}, {4, 4, 16, 16, 16}, {2, 1, 33, 31, 17}, {5, 2, 64, 64, 32}};
        for (int[] z : sizes) {
            DecodeShape s = new DecodeShape(z[0], z[1], z[2], z[3], z[4]);
            int[] counts = new int[s.batch()];
            for (int b = 0; b < counts.length; b++) {
                counts[b] = (b * 7 + s.capacity()) % (s.capacity() + 1);
            }
            for (int newest : new int[] {0, s.capacity() / 2, s.capacity() - 1}) {
                checkDecode(type, s, counts, newest);
            }
            checkDecode(type, s, new int[s.batch()], 0);
        }
    }

    private void checkDecode(DType type, DecodeShape s, int[] counts, int newest) {
        int rows = s.batch() * s.heads();
        double[] keys = Pair.normal(rows * s.capacity() * s.headDim(), 2);
        double[] cache = Pair.normal(rows * s.capacity() * s.valueDim(), 3);
        for (int b = 0; b < s.batch(); b++) {
            for (int age = counts[b]; age < s.capacity(); age++) {
                int slot = b * s.capacity() + Math.floorMod(newest - age, s.capacity());
                int width = s.heads() * s.headDim();
                Arrays.fill(keys, slot * width, (slot + 1) * width, Double.NaN);
                width = s.heads() * s.valueDim();
                Arrays.fill(cache, slot * width, (slot + 1) * width, Double.NaN);
            }
        }
        try (Pair p = pair()) {
            Pair.Both query = p.floats(type, Pair.normal(rows * s.headDim(), 1));
            Pair.Both key = p.floats(type, keys);
            Pair.Both value = p.floats(type, cache);
            Pair.Both count = p.ints(counts);
            Pair.Both output = p.output(type, (long) rows * s.valueDim());
            float scale = 0.4f;
            p.run(b -> b.attention()
                    .decode(
                            new DecodeCall<>(
                                    s,
                                    AttentionSpec.DEFAULT.withScale(scale),
                                    query.on(b),
                                    key.on(b),
                                    value.on(b),
                                    count.on(b),
                                    newest),
                            output.on(b)));
            double score = scale
                    * s.headDim()
                    * AttentionContract.Problem.largestFinite(query)
                    * AttentionContract.Problem.largestFinite(key);
            double relative = 4 * (2 * score * (1 + 2 / Math.sqrt(s.headDim())) + Math.sqrt(s.capacity()) + 4);
            double values = AttentionContract.Problem.largestFinite(value);
            // Of a short storage type weights and output are rounded.
            double rounding = AttentionContract.Problem.rounding(p, type, 2 * values, s.capacity() * values + 1);
            output.isWithin(relative * values + rounding, type + " " + s + " counts " + Arrays.toString(counts));
        }
    }

    /** With each similarity, with and without a softcap; slots that are not in use are NaN. */
    @Test
    default void decodingWithSimilaritiesAndSoftcap() {
        for (DType type : new DType[] {tested().memory().floatType(), DType.BF16, DType.F16}) {
            for (AttentionSpec.Similarity similarity : AttentionSpec.Similarity.values()) {
                AttentionSpec spec =
                        AttentionSpec.DEFAULT.withSimilarity(similarity).withScale(0.9);
                checkSpec(type, spec, similarity == AttentionSpec.Similarity.COSINE);
                checkSpec(type, spec.withSoftcap(1.2), false);
            }
        }
    }

    private void checkSpec(DType type, AttentionSpec spec, boolean zeroRows) {
        DecodeShape s = new DecodeShape(3, 2, 5, 7, 3);
        int[] counts = {4, 0, 5};
        double[] queries = Pair.normal(6 * s.headDim(), 1);
        double[] keys = Pair.normal(30 * s.headDim(), 2);
        if (zeroRows) {
            Arrays.fill(queries, 0, s.headDim(), 0);
            Arrays.fill(keys, 0, 3 * s.headDim(), 0);
        }
        // Of the first row slot 3, of the second all.
        Arrays.fill(keys, 6 * s.headDim(), 8 * s.headDim(), Double.NaN);
        Arrays.fill(keys, 10 * s.headDim(), 20 * s.headDim(), Double.NaN);
        try (Pair p = pair()) {
            Pair.Both query = p.floats(type, queries);
            Pair.Both key = p.floats(type, keys);
            Pair.Both value = p.floats(type, Pair.normal(30 * s.valueDim(), 3));
            Pair.Both count = p.ints(counts);
            Pair.Both output = p.output(type, 6L * s.valueDim());
            p.runWithBounds(
                    type,
                    b -> b.attention()
                            .decode(
                                    new DecodeCall<>(s, spec, query.on(b), key.on(b), value.on(b), count.on(b), 2),
                                    output.on(b)));
            output.isWithinBounds(4, p.unit(), "output of " + spec + " in " + type);
        }
    }
}
