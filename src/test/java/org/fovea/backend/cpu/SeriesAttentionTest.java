package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShape.Layout;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.AttentionSpec.Alignment;
import org.fovea.backend.AttentionSpec.Similarity;
import org.fovea.backend.DType;
import org.fovea.backend.SeriesRing;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Attention over series, float64 against the textbook formulas in float64. */
class SeriesAttentionTest {
    private final CpuBackend backend = new CpuBackend(new ScalarKernels(), 2);
    private final ReferenceBackend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
        reference.close();
    }

    private static AttentionShape shape(int b, int h, int hk, int nq, int nk, int d, int dv, Layout layout) {
        return new AttentionShape(b, h, hk, nq, nk, d, dv, layout);
    }

    private void check(SeriesProblem problem) {
        check(problem, true);
        check(problem, false);
    }

    private void check(SeriesProblem problem, boolean gradients) {
        Map<String, double[]> expected = problem.run(reference, DType.F64, gradients);
        Map<String, double[]> actual = problem.run(backend, DType.F64, gradients);
        assertThat(actual.keySet()).isEqualTo(expected.keySet());
        expected.forEach((name, values) -> assertClose(values, actual.get(name), name + " of " + problem));
    }

    /** Within rounding of sums whose terms may cancel: 2^-53 times terms and steps, against the largest element. */
    private static void assertClose(double[] expected, double[] actual, String what) {
        double largest = Arrays.stream(expected)
                .filter(Double::isFinite)
                .map(Math::abs)
                .max()
                .orElse(0);
        for (int i = 0; i < expected.length; i++) {
            boolean same = Double.compare(expected[i], actual[i]) == 0;
            assertThat(same || Math.abs(expected[i] - actual[i]) <= 1e-11 * (1 + largest))
                    .as("%s: element %d is %s, expected %s", what, i, actual[i], expected[i])
                    .isTrue();
        }
    }

    private static final List<SeriesRing> RINGS =
            List.of(SeriesRing.NUMBERS, SeriesRing.taylor(1), SeriesRing.taylor(3), SeriesRing.infinitesimals(2));

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
            for (SeriesRing ring : RINGS) {
                AttentionShape shape = shape(z[0], z[1], z[2], z[3], z[4], z[5], z[6], Layout.values()[z[7]]);
                check(new SeriesProblem(shape, AttentionSpec.DEFAULT, ring, 1));
            }
        }
    }

    @Test
    void nothingToDo() {
        for (int[] z : new int[][] {{0, 2, 3, 4}, {2, 0, 3, 4}, {2, 2, 0, 4}, {2, 2, 3, 0}}) {
            AttentionShape shape = shape(z[0], z[1], z[1], z[2], z[3], 5, 6, Layout.BHND);
            check(new SeriesProblem(shape, AttentionSpec.DEFAULT, SeriesRing.taylor(1), 2)
                    .withSink()
                    .withBias(true, false, true, false));
        }
    }

    @Test
    void everyFeatureByItself() {
        AttentionShape shape = shape(2, 4, 2, 35, 70, 6, 5, Layout.BNHD);
        AttentionSpec plain = AttentionSpec.DEFAULT;
        for (SeriesRing ring : RINGS) {
            List<SeriesProblem> problems = new ArrayList<>();
            problems.add(new SeriesProblem(
                    shape, plain.withSimilarity(Similarity.COSINE).withScale(2.5), ring, 3));
            problems.add(new SeriesProblem(shape, plain.withSimilarity(Similarity.EUCLIDEAN), ring, 4));
            problems.add(new SeriesProblem(shape, plain.withSoftcap(1.5), ring, 5));
            problems.add(new SeriesProblem(shape, plain.withDropout(0.3, 99), ring, 6));
            problems.add(new SeriesProblem(shape, plain.withCausal(Alignment.BOTTOM_RIGHT), ring, 7).withAlibi());
            problems.add(new SeriesProblem(shape, plain.withWindow(3, 2).withPastKeys(9), ring, 8).withLengths());
            problems.add(new SeriesProblem(shape, plain, ring, 9).withSink().withSegments());
            problems.add(new SeriesProblem(shape, plain, ring, 10).withMask(true, false, true, true));
            problems.add(new SeriesProblem(shape, plain, ring, 11).withMask(false, true, false, true));
            for (int e = 0; e < 16; e += 3) {
                problems.add(new SeriesProblem(shape, plain, ring, 12)
                        .withBias((e & 1) != 0, (e & 2) != 0, (e & 4) != 0, (e & 8) != 0));
            }
            problems.forEach(this::check);
        }
    }

    @Test
    void packedSequences() {
        AttentionShape shape = shape(1, 2, 1, 40, 75, 4, 3, Layout.BNHD);
        int[] ofQueries = {0, 3, 3, 20, 38};
        int[] ofKeys = {2, 10, 12, 12, 80};
        AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT);
        check(new SeriesProblem(shape, AttentionSpec.DEFAULT, SeriesRing.taylor(2), 1)
                .withSequences(ofQueries, ofKeys));
        check(new SeriesProblem(shape, causal.withWindow(20, 5).withDropout(0.2, 4), SeriesRing.taylor(1), 2)
                .withSequences(ofQueries, ofKeys)
                .withAlibi()
                .withLengths()
                .withSink());
    }

    @Test
    void anyCombination() {
        Random random = new Random(17);
        for (int i = 0; i < 60; i++) {
            Similarity similarity = Similarity.values()[random.nextInt(3)];
            boolean cosine = similarity == Similarity.COSINE;
            int hk = 1 + random.nextInt(3);
            AttentionShape shape = shape(
                    1 + random.nextInt(3),
                    hk * (1 + random.nextInt(2)),
                    hk,
                    1 + random.nextInt(40),
                    1 + random.nextInt(80),
                    // Cosines of rows near zero bend too sharply for their derivatives to have digits left.
                    cosine ? 4 + random.nextInt(9) : 1 + random.nextInt(9),
                    1 + random.nextInt(9),
                    Layout.values()[random.nextInt(2)]);
            AttentionSpec spec = AttentionSpec.DEFAULT.withSimilarity(similarity);
            spec = random.nextBoolean() ? spec.withSoftcap(0.5 + random.nextInt(3)) : spec;
            spec = random.nextBoolean() ? spec.withDropout(0.25, i) : spec;
            spec = random.nextInt(3) == 0 ? spec.withCausal(Alignment.values()[random.nextInt(2)]) : spec;
            spec = random.nextInt(3) == 0 ? spec.withWindow(random.nextInt(30) - 1, random.nextInt(30) - 1) : spec;
            spec = random.nextInt(3) == 0 ? spec.withPastKeys(random.nextInt(20)) : spec;
            SeriesRing ring = random.nextBoolean()
                    ? SeriesRing.taylor(random.nextInt(4))
                    : SeriesRing.infinitesimals(random.nextInt(3));
            SeriesProblem problem = new SeriesProblem(shape, spec, ring, i);
            if (random.nextBoolean()) {
                problem.withBias(
                        random.nextBoolean(), random.nextBoolean(), random.nextBoolean(), random.nextBoolean());
            }
            if (random.nextInt(3) == 0) {
                problem.withMask(
                        random.nextBoolean(), random.nextBoolean(), random.nextBoolean(), random.nextBoolean());
            }
            if (random.nextBoolean()) {
                problem.withSink();
            }
            if (random.nextInt(3) == 0) {
                problem.withAlibi();
            }
            if (random.nextInt(3) == 0) {
                problem.withSegments();
            }
            if (random.nextInt(3) == 0) {
                problem.withLengths();
            }
            check(problem);
        }
    }
}
