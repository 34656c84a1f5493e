package org.fovea.verify;

import static org.fovea.verify.AttentionFeatures.DENSE;
import static org.fovea.verify.AttentionFeatures.shape;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionShape;
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

    /** Each feature once, and all together. */
    public static List<AttentionFeatures> brief() {
        AttentionSpec cosine = PLAIN.withSimilarity(Similarity.COSINE);
        AttentionSpec euclidean = PLAIN.withSimilarity(Similarity.EUCLIDEAN);
        AttentionShape rows = shape(1, 4, 2, 13, 17, 4, 3);
        List<AttentionFeatures> all = new ArrayList<>(List.of(
                of("one pair", shape(1, 1, 1, 1, 1, 1, 1), PLAIN),
                of("as many key heads", shape(2, 3, 3, 13, 17, 6, 5), PLAIN),
                of("a tile", shape(1, 2, 2, 33, 31, 16, 16), CAUSAL),
                of("grouped heads", shape(2, 4, 2, 3, 5, 4, 4), CONTINUED),
                small("causal", CAUSAL),
                small("causal with lengths", CONTINUED).withLengths(3, 7).hidingNaN(),
                small("window", PLAIN.withWindow(2, 1)),
                small("segments", CAUSAL).withSegments().hidingNaN(),
                small("mask", PLAIN).withMask(11).hidingNaN(),
                small("scale", PLAIN.withScale(-0.37)),
                small("softcap", PLAIN.withSoftcap(1.5)),
                small("ALiBi", CAUSAL).withAlibi(),
                small("sink", CAUSAL).withSink(),
                small("sink with nothing to see", PLAIN)
                        .withSink()
                        .withLengths(0, 3)
                        .hidingNaN(),
                small("dropout", PLAIN.withDropout(0.4, 77)),
                small("bias for each pair", CAUSAL).withBias(DENSE),
                small("bias for each head and key", PLAIN.withSoftcap(2)).withBias(5),
                small("bias by relative position", CAUSAL).withRelativeBias(4, 3),
                small("past keys", CAUSAL.withPastKeys(2)),
                of("packed", rows, CAUSAL)
                        .withSequences(List.of(1, 5, 5, 11, 12), List.of(0, 6, 8, 8, 15))
                        .hidingNaN(),
                everything("dot products with everything", PLAIN.withSoftcap(3).withDropout(0.2, 5)),
                small("cosine", cosine),
                everything(
                        "cosine with everything",
                        cosine.withScale(1.7).withSoftcap(3).withDropout(0.3, 9)),
                small("euclidean", euclidean),
                everything("euclidean with everything", euclidean.withSoftcap(3).withDropout(0.3, 9))));
        for (DType type : new DType[] {DType.BF16, DType.F16, DType.F64}) {
            all.add(of("grouped heads", shape(2, 4, 2, 6, 9, 16, 16), CONTINUED).of(type));
            all.add(everything("everything", PLAIN.withSoftcap(3).withDropout(0.2, 5))
                    .of(type));
        }
        return all;
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

    /** What tells most about a way to store numbers. */
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
        AttentionSpec bent = CONTINUED.withSoftcap(3);
        return Stream.of(
                of("plain", tiny, PLAIN),
                of("bias, sink and ALiBi", tiny, bent.withDropout(0.3, 3))
                        .withBias(3)
                        .withSink()
                        .withAlibi(),
                of("relative bias", tiny, bent).withRelativeBias(4, 1),
                of("cosine", tiny, bent.withSimilarity(Similarity.COSINE)).withSink(),
                of("euclidean", tiny, bent.withSimilarity(Similarity.EUCLIDEAN)).withMask(1),
                of("packed", shape(1, 2, 1, 4, 5, 2, 2), CAUSAL)
                        .withSequences(List.of(0, 1, 4), List.of(0, 2, 4))
                        .hidingNaN());
    }
}
