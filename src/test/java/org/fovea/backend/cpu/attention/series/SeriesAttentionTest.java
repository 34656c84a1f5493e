// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Attention over series in float64, of more rows than a tile has; the table of cases has small ones with every feature. */
class SeriesAttentionTest {
    private static final List<SeriesRing> RINGS =
            List.of(SeriesRing.NUMBERS, SeriesRing.taylor(1), SeriesRing.taylor(3), SeriesRing.infinitesimals(2));
    private static final AttentionSpec PLAIN = AttentionSpec.DEFAULT;
    private static final AttentionShape SHAPE = new AttentionShape(2, 4, 2, 35, 70, 6, 5, Layout.BNHD);

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ReferenceBackend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
        reference.close();
    }

    private static AttentionFeatures features(AttentionShape shape, AttentionSpec spec) {
        return new AttentionFeatures("series", shape, spec).of(DType.F64);
    }

    private void check(AttentionFeatures features, SeriesRing ring, Consumer<AttentionProblem> change) {
        try (Pair pair = new Pair(backend, reference)) {
            AttentionProblem problem = new AttentionProblem(pair, features, 3);
            change.accept(problem);
            problem.checkSeries(ring, true);
            problem.checkSeries(ring, false);
        }
    }

    private void check(AttentionFeatures features, SeriesRing ring) {
        check(features, ring, problem -> {});
    }

    @Test
    void plainOfAwkwardSizes() {
        int[][] sizes = {
            {1, 1, 1, 1, 1, 1, 1, 1},
            {2, 2, 2, 3, 5, 6, 2, 0},
            {1, 2, 1, 33, 97, 5, 13, 1},
            {2, 4, 2, 65, 31, 17, 3, 0},
            {1, 1, 1, 97, 207, 8, 8, 1}
        };
        for (int[] z : sizes) {
            AttentionShape shape = new AttentionShape(z[0], z[1], z[2], z[3], z[4], z[5], z[6], Layout.values()[z[7]]);
            RINGS.forEach(ring -> check(features(shape, PLAIN), ring));
        }
    }

    @Test
    void everyFeatureByItself() {
        AttentionFeatures plain = features(SHAPE, PLAIN);
        List<AttentionFeatures> all = new ArrayList<>(List.of(
                features(SHAPE, PLAIN.withSimilarity(Similarity.COSINE).withScale(2.5)),
                features(SHAPE, PLAIN.withSimilarity(Similarity.EUCLIDEAN)),
                features(SHAPE, PLAIN.withSoftcap(1.5)),
                features(SHAPE, PLAIN.withDropout(0.3, 99)),
                features(SHAPE, PLAIN.withCausal(Alignment.BOTTOM_RIGHT)).withAlibi(),
                features(SHAPE, PLAIN.withWindow(3, 2).withPastKeys(9)).withLengths(72, 41),
                plain.withSink().withSegments(),
                plain.withMask(11),
                plain.withMask(5)));
        for (int axes = 0; axes < 16; axes += 3) {
            all.add(plain.withBias(axes));
        }
        all.forEach(each -> RINGS.forEach(ring -> check(each, ring)));
    }

    @Test
    void packedSequences() {
        AttentionShape shape = new AttentionShape(1, 2, 1, 40, 75, 4, 3, Layout.BNHD);
        List<Integer> queries = List.of(0, 3, 3, 20, 38);
        List<Integer> keys = List.of(2, 10, 12, 12, 80);
        AttentionSpec causal = PLAIN.withCausal(Alignment.BOTTOM_RIGHT);
        check(features(shape, PLAIN).withSequences(queries, keys), SeriesRing.taylor(2));
        AttentionSpec window = causal.withWindow(20, 5).withDropout(0.2, 4);
        AttentionFeatures all = features(shape, window).withSequences(queries, keys);
        check(all.withAlibi().withLengths(61).withSink(), SeriesRing.taylor(1));
    }

    private static AttentionFeatures everything(Similarity similarity) {
        AttentionSpec spec = PLAIN.withSimilarity(similarity).withSoftcap(2);
        return features(SHAPE, spec.withCausal(Alignment.BOTTOM_RIGHT))
                .withSink()
                .withLengths(70, 37)
                .withAlibi()
                .withBias(AttentionFeatures.DENSE)
                .withMask(7);
    }

    @Test
    void weightsOfEveryStage() {
        for (Similarity similarity : Similarity.values()) {
            AttentionFeatures features = everything(similarity);
            try (Pair pair = new Pair(backend, reference)) {
                AttentionSpec dropped = features.spec().withDropout(0.2, 4);
                AttentionProblem problem = new AttentionProblem(pair, features.withSpec(dropped), 5);
                problem.forward();
                problem.checkWeights();
            }
        }
    }

    @Test
    void whatIsHiddenTouchesNothing() {
        for (Similarity similarity : Similarity.values()) {
            check(everything(similarity).hidingNaN(), SeriesRing.taylor(2));
        }
    }

    @Test
    void aRowThatSeesNotANumberTellsNobodyElse() {
        AttentionShape shape = new AttentionShape(1, 1, 1, 34, 40, 3, 4, Layout.BHND);
        check(features(shape, PLAIN.withCausal(Alignment.TOP_LEFT)), SeriesRing.taylor(1), problem -> {
            change(problem.inputs.query(), query -> query[9 * 3] = Double.NaN);
            change(problem.given().output(), output -> output[9 * 4] = Double.NaN);
        });
    }

    private static void change(Pair.Both array, Consumer<double[]> change) {
        double[] x = Objects.requireNonNull(array).expected();
        change.accept(x);
        array.upload(x);
    }

    /**
     * The log-sum-exp of a row masked with the lowest number has no digits for its logarithm; derivatives need them. Of three
     * rows one is as it was, one masked throughout, and one in part; some keys stay hidden.
     */
    @Test
    void rowsOfTheLowestNumber() {
        AttentionFeatures plain = features(SHAPE, PLAIN).withMask(11);
        for (SeriesRing ring : RINGS) {
            for (double lowest : new double[] {-1e12, -Float.MAX_VALUE, -Double.MAX_VALUE}) {
                Consumer<AttentionProblem> lower = problem -> {
                    problem.allowing(1e-11);
                    change(
                            problem.mask().scores().array(),
                            mask -> Arrays.setAll(mask, i -> {
                                int row = i / 70 % 3;
                                boolean low = row == 1 || row == 2 && i % 2 == 0;
                                return low && mask[i] != Double.NEGATIVE_INFINITY ? lowest : mask[i];
                            }));
                };
                check(plain, ring, lower);
                check(plain.withSink(), ring, problem -> {
                    lower.accept(problem);
                    change(problem.inputs.sink(), sink -> sink[1] = lowest);
                });
            }
        }
    }

    @Test
    void threadsChangeNoBit() {
        AttentionFeatures features = features(
                        new AttentionShape(2, 2, 1, 70, 90, 5, 4, Layout.BNHD), PLAIN.withDropout(0.1, 3))
                .withBias(3)
                .withSink();
        for (int threads : new int[] {1, 3, 5}) {
            try (CpuBackend other = new CpuBackend(KernelChoice.KERNELS, threads);
                    Pair pair = new Pair(other, backend)) {
                new AttentionProblem(pair, features, 5).allowing(0).checkSeries(SeriesRing.taylor(2));
            }
        }
    }
}
