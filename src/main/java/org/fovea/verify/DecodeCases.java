// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/** Attention of one new query over a ring buffer; slots that are not in use are NaN. */
final class DecodeCases {
    /** Batch, heads, capacity, head dim, value dim. */
    private static final int[][] SIZES = {
        {1, 1, 1, 1, 1}, {3, 2, 5, 6, 3}, {4, 4, 16, 16, 16}, {2, 1, 33, 31, 17}, {5, 2, 64, 64, 32}
    };

    private DecodeCases() {}

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        // The arithmetic's own, and those of 16 bits.
        for (DType type : new DType[] {null, DType.BF16, DType.F16}) {
            for (int[] z : SIZES) {
                DecodeShape s = new DecodeShape(z[0], z[1], z[2], z[3], z[4]);
                AttentionSpec scaled = AttentionSpec.DEFAULT.withScale(0.4f);
                int[] counts = new int[s.batch()];
                Arrays.setAll(counts, b -> (b * 7 + s.capacity()) % (s.capacity() + 1));
                // The first counts more than there are.
                counts[0] = 2 * s.capacity();
                for (int first : new int[] {0, s.capacity() / 2, 3 * s.capacity() - 1}) {
                    cases.add(decode(type, scaled, s, counts, first));
                }
                cases.add(decode(type, scaled, s, new int[s.batch()], 0));
            }
            for (Similarity similarity : Similarity.values()) {
                AttentionSpec spec =
                        AttentionSpec.DEFAULT.withSimilarity(similarity).withScale(0.9);
                for (AttentionSpec each : List.of(spec, spec.withSoftcap(1.2))) {
                    cases.add(decode(type, each, new DecodeShape(3, 2, 5, 7, 3), new int[] {4, 0, 5}, 2));
                }
            }
        }
        return cases;
    }

    private static Case decode(@Nullable DType type, AttentionSpec spec, DecodeShape s, int[] counts, int first) {
        String name = (type == null ? "" : type + " ") + s + " with " + Arrays.toString(counts) + " from position "
                + first + " on, " + spec;
        return new Case("attention.decode", name, p -> {
            decode(p, type == null ? p.tested.memory().floatType() : type, spec, s, counts, first);
        });
    }

    /** @param first position of the newest of row 0; that of each other row is three further on */
    private static void decode(Pair p, DType type, AttentionSpec spec, DecodeShape s, int[] counts, int first) {
        int[] newest = new int[s.batch()];
        Arrays.setAll(newest, b -> first + 3 * b);
        int rows = s.batch() * s.heads();
        double[] queries = Pair.normal(rows * s.headDim(), 1);
        double[] keys = Pair.normal(rows * s.capacity() * s.headDim(), 2);
        double[] values = Pair.normal(rows * s.capacity() * s.valueDim(), 3);
        if (spec.similarity() == Similarity.COSINE) {
            // Rows whose cosine is defined as 0.
            Arrays.fill(queries, 0, s.headDim(), 0);
            Arrays.fill(keys, 0, 3 * s.headDim(), 0);
        }
        for (int b = 0; b < s.batch(); b++) {
            for (int age = counts[b]; age < s.capacity(); age++) {
                int slot = b * s.capacity() + Math.floorMod(newest[b] - age, s.capacity());
                Arrays.fill(keys, slot * s.heads() * s.headDim(), (slot + 1) * s.heads() * s.headDim(), Double.NaN);
                Arrays.fill(values, slot * s.heads() * s.valueDim(), (slot + 1) * s.heads() * s.valueDim(), Double.NaN);
            }
        }
        Pair.Both query = p.floats(type, queries);
        Pair.Both key = p.floats(type, keys);
        Pair.Both value = p.floats(type, values);
        Pair.Both output = p.output(type, (long) rows * s.valueDim());
        DecodeCall<Pair.Both> call = new DecodeCall<>(s, spec, query, key, value, p.ints(counts), p.ints(newest));
        p.runWithBounds(type, false, b -> b.attention().decode(call.map(x -> x.on(b)), output.on(b)));
        output.isWithinBounds(4, p.unit(), "output of " + spec + " in " + type);
    }
}
