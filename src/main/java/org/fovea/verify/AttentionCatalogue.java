// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import static org.fovea.verify.AttentionFeatures.DENSE;
import static org.fovea.verify.AttentionFeatures.shape;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.memory.DType;

/** Every feature of attention at least once alone and in the company of others, on small problems. */
public final class AttentionCatalogue {
    private static final AttentionSpec PLAIN = AttentionSpec.DEFAULT;
    private static final AttentionSpec CAUSAL = PLAIN.withCausal(Alignment.TOP_LEFT);
    private static final AttentionSpec CONTINUED = PLAIN.withCausal(Alignment.BOTTOM_RIGHT);
    private static final int UNLIMITED = AttentionSpec.UNLIMITED;

    private AttentionCatalogue() {}

    private static AttentionFeatures of(String name, AttentionShape shape, AttentionSpec spec) {
        return new AttentionFeatures(name, shape, spec);
    }

    /** Two batch rows, three heads that share a key head, more keys than queries. */
    private static AttentionFeatures small(String name, AttentionSpec spec) {
        return of(name, shape(2, 3, 1, 5, 7, 4, 3), spec);
    }

    public static List<AttentionFeatures> shapes() {
        List<AttentionFeatures> all = new ArrayList<>(List.of(
                of("one pair", shape(1, 1, 1, 1, 1, 1, 1), PLAIN),
                of("one query", shape(2, 2, 2, 1, 6, 5, 3), PLAIN),
                of("one key", shape(2, 1, 1, 6, 1, 3, 5), CAUSAL),
                of("more keys than a tile", shape(1, 1, 1, 3, 97, 8, 6), CONTINUED),
                of("more queries than a tile", shape(1, 1, 1, 97, 3, 6, 8), PLAIN),
                of("grouped heads", shape(2, 4, 2, 3, 5, 4, 4), CONTINUED),
                of("one key head for all", shape(1, 3, 1, 6, 5, 6, 2), CAUSAL),
                of("many queries of one key head", shape(1, 8, 1, 130, 9, 4, 3), CAUSAL.withPastKeys(3))
                        .withSink(),
                of("empty batch", shape(0, 2, 1, 3, 4, 5, 6), PLAIN).withBias(7).withSink(),
                of("no heads", shape(2, 0, 0, 3, 4, 5, 6), PLAIN),
                of("no queries", shape(2, 2, 1, 0, 4, 5, 6), CAUSAL).withBias(DENSE),
                of("no keys", shape(2, 2, 1, 3, 0, 5, 6), PLAIN).withSink()));
        int[][] dims = {{1, 2}, {2, 1}, {40, 59}, {59, 40}, {111, 33}, {64, 111}, {256, 1}, {1, 256}, {130, 256}};
        for (int[] d : dims) {
            all.add(of("head dims " + d[0] + " and " + d[1], shape(1, 1, 1, 2, 3, d[0], d[1]), PLAIN));
        }
        return all;
    }

    public static List<AttentionFeatures> masks() {
        List<AttentionFeatures> all = new ArrayList<>(List.of(
                small("causal", CAUSAL),
                small("causal, aligned to the end", CONTINUED),
                small("causal with lengths", CONTINUED).withLengths(3, 7).hidingNaN(),
                small("window", PLAIN.withWindow(2, 1)),
                small("window to the left of the end", CONTINUED.withWindow(2, UNLIMITED)),
                small("window to the right", PLAIN.withWindow(UNLIMITED, 2).withAlignment(Alignment.BOTTOM_RIGHT)),
                small("the diagonal", PLAIN.withWindow(0, 0)),
                small("lengths", PLAIN).withLengths(4, 0).hidingNaN(),
                small("lengths out of range", PLAIN).withLengths(-3, 99).hidingNaN(),
                small("segments", CAUSAL).withSegments().hidingNaN(),
                small("everything hidden", PLAIN.withWindow(0, 0).withPastKeys(50))
                        .hidingNaN(),
                of("queries before every key", shape(1, 2, 2, 6, 2, 3, 3), CONTINUED)
                        .withSink()
                        .hidingNaN(),
                small("all masks", CONTINUED.withWindow(4, UNLIMITED))
                        .withSegments()
                        .withLengths(6, 5)
                        .withMask(DENSE)
                        .hidingNaN()));
        for (int axes : new int[] {0, 1, 2, 3, 5, 8, 11, DENSE}) {
            all.add(small("mask of axes " + axes, PLAIN).withMask(axes).hidingNaN());
        }
        return all;
    }

    public static List<AttentionFeatures> scores() {
        List<AttentionFeatures> all = new ArrayList<>(List.of(
                small("scale", PLAIN.withScale(-0.37)),
                of("large scores", ungrouped(1, 2, 17, 33, 8, 8, true), PLAIN.withScale(100)),
                small("softcap", PLAIN.withSoftcap(1.5)),
                small("ALiBi", CAUSAL).withAlibi(),
                small("ALiBi of both sides", PLAIN.withPastKeys(3)).withAlibi(),
                small("sink", CAUSAL).withSink(),
                small("sink with nothing to see", PLAIN)
                        .withSink()
                        .withLengths(0, 3)
                        .hidingNaN(),
                small("sink with softcap", PLAIN.withSoftcap(0.7)).withSink(),
                small("dropout", PLAIN.withDropout(0.4, 77)),
                small("dropout of everything", PLAIN.withDropout(1, 7)),
                small("dense bias with hidden places", CAUSAL)
                        .withBias(DENSE)
                        .withLengths(5, 2)
                        .hidingNaN(),
                small("bias under a softcap", PLAIN.withSoftcap(2)).withBias(6),
                everything("all of scores", PLAIN.withSoftcap(3).withDropout(0.2, 5))));
        for (int axes : new int[] {0, 1, 2, 3, 4, 7, 8, 13, DENSE}) {
            all.add(small("bias of axes " + axes, PLAIN).withBias(axes));
        }
        return all;
    }

    private static AttentionFeatures everything(String name, AttentionSpec spec) {
        return small(name, spec.withCausal(Alignment.BOTTOM_RIGHT))
                .withBias(7)
                .withSink()
                .withAlibi()
                .withMask(9)
                .withSegments()
                .withLengths(7, 6)
                .hidingNaN();
    }

    public static List<AttentionFeatures> similarities() {
        List<AttentionFeatures> all = new ArrayList<>();
        for (Similarity similarity : new Similarity[] {Similarity.COSINE, Similarity.EUCLIDEAN}) {
            AttentionSpec spec = PLAIN.withSimilarity(similarity);
            AttentionSpec steep = spec.withScale(1.7);
            all.add(small(similarity + " with its usual scale", spec));
            all.add(small(similarity + " with a softcap", steep.withSoftcap(1.1)));
            all.add(small(similarity + " with a sink", steep)
                    .withSink()
                    .withLengths(3, 7)
                    .hidingNaN());
            all.add(everything(
                    similarity + " with everything", steep.withSoftcap(3).withDropout(0.3, 9)));
            all.add(of(similarity + " of dims 1", shape(1, 2, 2, 3, 4, 1, 2), spec));
            all.add(of(similarity + " of long rows", shape(1, 1, 1, 2, 3, 111, 40), spec));
        }
        return all;
    }

    /** New queries after keys that are there already. */
    public static List<AttentionFeatures> caches() {
        return List.of(
                small("past keys", CAUSAL.withPastKeys(2)),
                small("past keys in a window", PLAIN.withWindow(1, 1).withPastKeys(4)),
                small("fewer keys than are past", CAUSAL.withPastKeys(9)),
                of("one query for rows of several lengths", shape(3, 2, 1, 1, 9, 4, 4), CONTINUED)
                        .withLengths(9, 1, 4)
                        .hidingNaN(),
                of("several queries for rows of several lengths", shape(3, 2, 1, 3, 9, 4, 4), CONTINUED)
                        .withLengths(9, 2, 5)
                        .withAlibi()
                        .hidingNaN(),
                of("a window that ends with each row", shape(3, 2, 1, 3, 9, 4, 4), CONTINUED.withWindow(2, 0))
                        .withLengths(9, 2, 5)
                        .withSink()
                        .hidingNaN());
    }

    /** Rows before, between, in and after the sequences of a packed batch. */
    public static List<AttentionFeatures> packed() {
        AttentionShape rows = shape(1, 4, 2, 13, 17, 4, 3);
        List<Integer> queries = List.of(1, 5, 5, 11, 12);
        List<Integer> keys = List.of(0, 6, 8, 8, 15);
        return List.of(
                of("packed", rows, PLAIN).withSequences(queries, keys).hidingNaN(),
                of("packed, causal", rows, CAUSAL).withSequences(queries, keys).hidingNaN(),
                of("packed, causal from the ends", rows, CONTINUED)
                        .withSequences(queries, keys)
                        .hidingNaN(),
                of("packed with past keys", rows, CAUSAL.withPastKeys(2))
                        .withSequences(queries, keys)
                        .withAlibi(),
                of("packed with a length", rows, CONTINUED.withWindow(3, 0))
                        .withSequences(queries, keys)
                        .withLengths(10)
                        .hidingNaN(),
                of("packed beyond the ends", rows, CAUSAL)
                        .withSequences(List.of(-2, 4, 99), List.of(-1, 9, 40))
                        .hidingNaN(),
                of("no sequence", rows, PLAIN)
                        .withSequences(List.of(3), List.of(2))
                        .hidingNaN(),
                of("packed with everything", rows, CONTINUED.withSoftcap(2).withDropout(0.3, 4))
                        .withSequences(queries, keys)
                        .withSegments()
                        .withBias(3)
                        .withMask(5)
                        .withSink()
                        .withAlibi()
                        .hidingNaN(),
                of(
                                "packed cosines",
                                rows,
                                CAUSAL.withSimilarity(Similarity.COSINE).withScale(2))
                        .withSequences(queries, keys)
                        .withSink()
                        .hidingNaN());
    }

    /** A relative bias wherever positions come from, nearer and farther than rows are long. */
    public static List<AttentionFeatures> relativeBiases() {
        AttentionShape longKeys = shape(1, 2, 1, 13, 97, 4, 3);
        AttentionShape longQueries = shape(2, 2, 1, 97, 33, 3, 4);
        AttentionShape manyQueries = shape(1, 8, 1, 130, 9, 4, 3);
        AttentionFeatures cached = of("after caches of several lengths", shape(3, 2, 1, 3, 9, 4, 4), CONTINUED)
                .withLengths(9, 2, 5)
                .hidingNaN();
        AttentionFeatures packed = of("packed", shape(1, 4, 2, 13, 17, 4, 3), PLAIN)
                .withSequences(List.of(1, 5, 5, 11, 12), List.of(0, 6, 8, 8, 15))
                .hidingNaN();
        AttentionFeatures unseen =
                small("of an empty window", PLAIN.withWindow(0, 0).withPastKeys(50));
        List<AttentionFeatures> all = List.of(
                small("one number for all", PLAIN).withRelativeBias(0, 0),
                small("of both sides", PLAIN).withRelativeBias(4, 2),
                small("farther than the rows are long", PLAIN).withRelativeBias(4, 20),
                small("of each row and head", CAUSAL).withRelativeBias(12, 3).hidingNaN(),
                small("of each row, under a softcap", PLAIN.withSoftcap(2)).withRelativeBias(8, 1),
                small("far from all keys", PLAIN.withPastKeys(50)).withRelativeBias(4, 46),
                small("after past keys", CAUSAL.withPastKeys(2))
                        .withRelativeBias(0, 4)
                        .hidingNaN(),
                small("in a window", PLAIN.withWindow(2, 1))
                        .withRelativeBias(4, 5)
                        .hidingNaN(),
                unseen.withRelativeBias(4, 2).hidingNaN(),
                small("of cosines", CONTINUED.withSimilarity(Similarity.COSINE)).withRelativeBias(4, 2),
                small("with dropout", CAUSAL.withDropout(0.4, 7)).withRelativeBias(4, 2),
                of("of more keys than a tile", longKeys, CONTINUED).withRelativeBias(4, 40),
                of("of more queries than a tile", longQueries, CONTINUED)
                        .withLengths(33, 20)
                        .withRelativeBias(0, 7),
                of("of many queries of one key head", manyQueries, CAUSAL.withPastKeys(3))
                        .withRelativeBias(4, 6),
                cached.withRelativeBias(4, 3),
                cached.withRelativeBias(8, 9).withSpec(PLAIN.withAlignment(Alignment.BOTTOM_RIGHT)),
                packed.withRelativeBias(4, 2),
                packed.withRelativeBias(4, 30).withSpec(CAUSAL.withPastKeys(2)),
                packed.withRelativeBias(0, 3).withSpec(CONTINUED).withLengths(10),
                packed.withRelativeBias(4, 3)
                        .withSpec(CONTINUED.withSoftcap(2))
                        .withSegments()
                        .withMask(5)
                        .withSink(),
                of("no keys", shape(2, 2, 1, 3, 0, 5, 6), PLAIN).withRelativeBias(4, 2),
                of("no queries", shape(2, 2, 1, 0, 4, 5, 6), PLAIN).withRelativeBias(4, 2),
                of("empty batch", shape(0, 2, 1, 3, 4, 5, 6), PLAIN).withRelativeBias(4, 2));
        return all.stream()
                .map(features -> features.named("relative bias, " + features.name()))
                .toList();
    }

    public static Stream<AttentionFeatures> all() {
        return Stream.of(shapes(), masks(), scores(), similarities(), caches(), packed(), relativeBiases())
                .flatMap(List::stream);
    }

    /** Every kind of window, on shapes with more, fewer and as many keys as queries, with a key head for each head. */
    public static List<AttentionFeatures> windows() {
        List<AttentionSpec> specs = new ArrayList<>();
        for (Alignment alignment : Alignment.values()) {
            AttentionSpec aligned = PLAIN.withAlignment(alignment);
            specs.add(aligned.withCausal(alignment));
            specs.add(aligned.withWindow(2, 1));
            specs.add(aligned.withWindow(3, UNLIMITED));
            specs.add(aligned.withWindow(UNLIMITED, 0));
            specs.add(aligned.withWindow(4, UNLIMITED).withCausal(alignment));
            specs.add(aligned.withWindow(0, 0).withScale(0.3f));
        }
        specs.add(PLAIN);
        List<AttentionFeatures> all = new ArrayList<>();
        for (AttentionSpec spec : specs) {
            boolean even = all.size() % 2 == 0;
            all.add(of("as many keys", ungrouped(2, 3, 13, 13, 6, 6, even), spec));
            all.add(of("more keys", ungrouped(3, 2, 7, 17, 5, 3, even), spec)
                    .withSegments()
                    .withLengths(17, 9, 0));
            all.add(of("fewer keys", ungrouped(3, 1, 33, 6, 16, 17, !even), spec)
                    .withLengths(-4, 99, 3));
            all.add(of("segments", ungrouped(2, 2, 31, 33, 8, 8, !even), spec).withSegments());
        }
        return all;
    }

    private static AttentionShape ungrouped(
            int batch, int heads, int queries, int keys, int dim, int valueDim, boolean bnhd) {
        Layout layout = bnhd ? Layout.BNHD : Layout.BHND;
        return new AttentionShape(batch, heads, queries, keys, dim, valueDim, layout);
    }

    /** Sizes around those of tiles, in both layouts. */
    public static List<AttentionFeatures> sizes() {
        int[][] sizes = {
            {1, 1, 1, 1, 1, 1},
            {1, 1, 1, 97, 64, 64},
            {2, 1, 97, 1, 31, 2},
            {1, 2, 97, 207, 33, 13},
            {1, 1, 65, 129, 128, 64},
            {2, 4, 64, 64, 32, 32},
            {1, 1, 3, 5, 256, 256},
            {1, 2, 130, 130, 16, 16}
        };
        List<AttentionFeatures> all = new ArrayList<>();
        for (int[] s : sizes) {
            for (boolean bnhd : new boolean[] {false, true}) {
                AttentionShape shape = ungrouped(s[0], s[1], s[2], s[3], s[4], s[5], bnhd);
                all.add(of("size", shape, PLAIN));
                all.add(of("size", shape, CONTINUED));
            }
        }
        return all;
    }

    /** Keys that no query sees, for their length or for all windows, are NaN. */
    public static List<AttentionFeatures> padded() {
        AttentionShape shape = ungrouped(3, 2, 7, 33, 5, 6, false);
        return List.of(
                of("padding", shape, PLAIN).withLengths(20, 0, 20).hidingNaN(),
                of("padding in a window", shape, PLAIN.withWindow(2, 0))
                        .withLengths(20, 0, 20)
                        .hidingNaN(),
                of("keys after every query", ungrouped(2, 1, 9, 33, 8, 8, true), CAUSAL)
                        .hidingNaN());
    }

    /** Windows and sizes, full tiles and not, in types of 16 bits. */
    public static List<AttentionFeatures> halves() {
        List<AttentionFeatures> windows = windows();
        List<AttentionFeatures> sizes = sizes();
        return Stream.of(DType.BF16, DType.F16)
                .flatMap(type -> Stream.concat(
                                IntStream.of(1, 6, 15, 24).mapToObj(windows::get),
                                IntStream.of(0, 4, 11, 12, 21, 31).mapToObj(sizes::get))
                        .map(features -> features.of(type)))
                .toList();
    }

    /** More heads of batch rows than a grid has blocks along its second and third axis. */
    public static List<AttentionFeatures> manyHeads() {
        return List.of(
                of("many rows", new AttentionShape(65537, 1, 1, 1, 1, 1, 1, Layout.BHND), PLAIN),
                of("many heads", new AttentionShape(3, 21846, 10923, 1, 1, 1, 1, Layout.BNHD), PLAIN));
    }

    /** Of several tiles. */
    public static List<AttentionFeatures> large() {
        return List.of(
                of("large", shape(1, 1, 1, 130, 130, 64, 64), PLAIN),
                of("large and odd", shape(2, 2, 1, 97, 207, 33, 31), CAUSAL),
                of("long rows", shape(1, 1, 1, 65, 129, 128, 256), CONTINUED),
                of("large in 16 bits", shape(1, 1, 1, 130, 130, 64, 64), CAUSAL).of(DType.BF16),
                of("large, with a bias", shape(1, 2, 2, 97, 130, 32, 32), PLAIN.withSoftcap(20))
                        .withBias(DENSE)
                        .withSink());
    }

    /** The features that depend most on the type of storage, in each type. */
    public static Stream<AttentionFeatures> types() {
        List<AttentionFeatures> some = List.of(
                of("grouped heads", shape(2, 4, 2, 6, 9, 16, 16), CONTINUED),
                of("odd dims", shape(1, 2, 1, 3, 5, 7, 5), PLAIN),
                everything("everything", PLAIN.withSoftcap(3).withDropout(0.2, 5)),
                everything("cosine", PLAIN.withSimilarity(Similarity.COSINE).withScale(2)),
                everything("euclidean", PLAIN.withSimilarity(Similarity.EUCLIDEAN)),
                packed().get(7),
                small("relative bias", CAUSAL).withRelativeBias(4, 3));
        return Stream.of(DType.BF16, DType.F16, DType.F64)
                .flatMap(type -> some.stream().map(features -> features.of(type)));
    }

    /** One of each group, for what costs much. */
    public static Stream<AttentionFeatures> few() {
        AttentionShape tiny = shape(1, 2, 1, 2, 3, 2, 2);
        AttentionSpec capped = CONTINUED.withSoftcap(3);
        return Stream.of(
                of("plain", tiny, PLAIN),
                of("bias, sink and ALiBi", tiny, capped.withDropout(0.3, 3))
                        .withBias(3)
                        .withSink()
                        .withAlibi(),
                of("relative bias", tiny, capped).withRelativeBias(4, 1),
                of("cosine", tiny, capped.withSimilarity(Similarity.COSINE)).withSink(),
                of("euclidean", tiny, capped.withSimilarity(Similarity.EUCLIDEAN))
                        .withMask(1),
                of("packed", shape(1, 2, 1, 4, 5, 2, 2), CAUSAL)
                        .withSequences(List.of(0, 1, 4), List.of(0, 2, 4))
                        .hidingNaN());
    }
}
