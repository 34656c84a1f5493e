// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Tuple;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.memory.DType;
import org.fovea.verify.AttentionFeatures;

/** Attentions with features at random, all of them together too. */
final class AttentionArbitraries {
    private AttentionArbitraries() {}

    /** Masks whose numbers depend on the shape. */
    private record Runs(boolean segments, boolean lengths, boolean packed, long seed) {}

    /**
     * @param rows most queries and keys
     * @param dims head dims
     * @param types of storage; null for that of the arithmetic
     */
    static Arbitrary<AttentionFeatures> features(int rows, int[] dims, DType... types) {
        return Combinators.combine(shapes(rows, dims), specs(), terms(), runs(), Arbitraries.of(types))
                .as((shape, spec, terms, runs, type) -> {
                    AttentionFeatures features = runs.packed ? terms.with(packed(shape)) : terms.with(shape);
                    return withRuns(features.withSpec(spec).of(type), runs);
                });
    }

    /** Scaled dot products in float32, around the sizes of tiles and of vectors, with scores from tiny to large. */
    static Arbitrary<AttentionFeatures> tiles() {
        Arbitrary<Integer> rows = Arbitraries.of(1, 2, 3, 5, 7, 8, 13, 16, 17, 31, 33, 63, 64, 65, 97, 129, 143);
        Arbitrary<Integer> dims = Arbitraries.of(1, 2, 3, 7, 16, 31, 32, 40, 59, 64, 111, 128, 256);
        Arbitrary<AttentionShape> shapes = Combinators.combine(
                        Arbitraries.integers().between(1, 2),
                        Arbitraries.integers().between(1, 3),
                        rows,
                        rows,
                        dims,
                        dims,
                        Arbitraries.of(Layout.class))
                .as(AttentionShape::new);
        Arbitrary<Integer> windows =
                Arbitraries.of(AttentionSpec.UNLIMITED, AttentionSpec.UNLIMITED, 0, 1, 5, 15, 16, 40, 1000);
        Arbitrary<AttentionSpec> specs = Combinators.combine(
                        Arbitraries.of(false, true),
                        Arbitraries.of(Alignment.class),
                        windows,
                        windows,
                        Arbitraries.of(0.0, 0.0, 1.5, 20.0),
                        Arbitraries.of(0.0, 0.0, 0.3))
                .as((causal, alignment, left, right, softcap, dropout) -> {
                    AttentionSpec spec = AttentionSpec.DEFAULT
                            .withAlignment(alignment)
                            .withWindow(left, right)
                            .withSoftcap(softcap)
                            .withDropout(dropout, left);
                    return causal ? spec.withCausal(alignment) : spec;
                });
        return Combinators.combine(
                        shapes, specs, Arbitraries.of(0.1, 1.0, 1.0, -0.7, 30.0), runs(), Arbitraries.of(false, true))
                .as((shape, spec, size, runs, hides) -> {
                    AttentionSpec scaled = spec.withScale(size * spec.scale(shape.headDim()));
                    AttentionFeatures features = new AttentionFeatures("at random", shape, scaled);
                    Runs unpacked = new Runs(runs.segments, runs.lengths, false, runs.seed);
                    return withRuns(hides ? features.hidingNaN() : features, unpacked);
                });
    }

    private static AttentionShape packed(AttentionShape s) {
        return new AttentionShape(
                1, s.heads(), s.keyHeads(), s.queries(), s.keys(), s.headDim(), s.valueDim(), s.layout());
    }

    private static Arbitrary<AttentionShape> shapes(int rows, int[] dims) {
        Arbitrary<Integer> length = Arbitraries.frequencyOf(
                Tuple.of(9, Arbitraries.integers().between(1, rows)), Tuple.of(1, Arbitraries.just(0)));
        Arbitrary<Integer> dim = Arbitraries.of(Arrays.stream(dims).boxed().toArray(Integer[]::new));
        return Combinators.combine(
                        Arbitraries.of(1, 2, 3, 0),
                        Arbitraries.of(1, 2),
                        Arbitraries.of(1, 2, 3),
                        length,
                        length,
                        dim,
                        dim,
                        Arbitraries.of(Layout.class))
                .as((batch, keyHeads, group, queries, keys, d, dv, layout) ->
                        new AttentionShape(batch, keyHeads * group, keyHeads, queries, keys, d, dv, layout));
    }

    private static Arbitrary<AttentionSpec> specs() {
        Arbitrary<Integer> side = Arbitraries.of(AttentionSpec.UNLIMITED, 0, 1, 2, 5);
        Arbitrary<AttentionSpec> places = Combinators.combine(
                        Arbitraries.of(false, true),
                        Arbitraries.of(Alignment.class),
                        side,
                        side,
                        Arbitraries.of(0, 1, 4))
                .as((causal, alignment, left, right, past) -> {
                    AttentionSpec spec = AttentionSpec.DEFAULT
                            .withAlignment(alignment)
                            .withWindow(left, right)
                            .withPastKeys(past);
                    return causal ? spec.withCausal(alignment) : spec;
                });
        return Combinators.combine(
                        places,
                        Arbitraries.of(Similarity.class),
                        Arbitraries.of(Double.NaN, 1.3, -0.6),
                        Arbitraries.of(0.0, 0.8, 4.0),
                        Arbitraries.of(0.0, 0.25),
                        Arbitraries.longs())
                .as((spec, similarity, scale, softcap, dropout, seed) -> {
                    AttentionSpec scaled = scale.isNaN() ? spec : spec.withScale(scale);
                    return scaled.withSimilarity(similarity)
                            .withSoftcap(softcap)
                            .withDropout(dropout, seed);
                });
    }

    /** Terms added to scores; with hidden places NaN or not. */
    private record Terms(int bias, int reach, int mask, boolean sink, boolean alibi, boolean hides) {
        AttentionFeatures with(AttentionShape shape) {
            AttentionFeatures features = new AttentionFeatures("at random", shape, AttentionSpec.DEFAULT);
            features = reach == AttentionFeatures.NONE || bias == AttentionFeatures.NONE
                    ? features.withBias(bias)
                    : features.withRelativeBias(bias & 12, reach);
            features = features.withMask(mask);
            features = sink ? features.withSink() : features;
            features = alibi ? features.withAlibi() : features;
            return hides ? features.hidingNaN() : features;
        }
    }

    private static Arbitrary<Terms> terms() {
        Arbitrary<Boolean> flag = Arbitraries.of(false, true);
        Arbitrary<Integer> axes = Arbitraries.frequencyOf(
                Tuple.of(1, Arbitraries.just(AttentionFeatures.NONE)),
                Tuple.of(1, Arbitraries.integers().between(0, AttentionFeatures.DENSE)));
        Arbitrary<Integer> reach = Arbitraries.of(AttentionFeatures.NONE, AttentionFeatures.NONE, 0, 1, 4, 50);
        return Combinators.combine(axes, reach, axes, flag, flag, flag).as(Terms::new);
    }

    private static Arbitrary<Runs> runs() {
        return Combinators.combine(
                        Arbitraries.of(false, true),
                        Arbitraries.of(false, true),
                        Arbitraries.of(false, false, true),
                        Arbitraries.longs())
                .as(Runs::new);
    }

    private static AttentionFeatures withRuns(AttentionFeatures features, Runs runs) {
        Random random = new Random(runs.seed);
        AttentionShape s = features.shape();
        if (runs.segments) {
            features = features.withSegments();
        }
        if (runs.lengths) {
            features = features.withLengths(
                    random.ints(s.batch(), -1, s.keys() + 2).toArray());
        }
        if (runs.packed) {
            int sequences = random.nextInt(4);
            features = features.withSequences(
                    ascending(random, sequences, s.queries()), ascending(random, sequences, s.keys()));
        }
        return features;
    }

    private static List<Integer> ascending(Random random, int sequences, int rows) {
        List<Integer> starts = new ArrayList<>();
        for (int i = 0; i <= sequences; i++) {
            starts.add(random.nextInt(rows + 1));
        }
        starts.sort(null);
        return starts;
    }
}
