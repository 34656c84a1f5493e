// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Attention over series, float64 against the textbook formulas in float64. */
class SeriesAttentionTest {
    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
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
        for (int i = 0; i < 40; i++) {
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

    @Test
    void weightsOfEveryStage() {
        AttentionShape shape = shape(2, 4, 2, 37, 70, 5, 4, Layout.BNHD);
        for (Similarity similarity : Similarity.values()) {
            AttentionSpec spec = AttentionSpec.DEFAULT
                    .withSimilarity(similarity)
                    .withSoftcap(2)
                    .withDropout(0.2, 4);
            SeriesProblem problem = new SeriesProblem(
                            shape, spec.withCausal(Alignment.BOTTOM_RIGHT), SeriesRing.NUMBERS, 5)
                    .withSink()
                    .withLengths()
                    .withAlibi()
                    .withBias(true, true, true, true)
                    .withMask(false, true, true, true);
            for (ScoreStage stage : ScoreStage.values()) {
                for (int[] rows : new int[][] {{0, 37}, {3, 33}, {36, 1}, {5, 0}}) {
                    assertClose(
                            problem.weights(reference, stage, rows[0], rows[1]),
                            problem.weights(backend, stage, rows[0], rows[1]),
                            stage + " " + similarity);
                }
            }
        }
    }

    @Test
    void whatIsHiddenTouchesNothing() {
        AttentionShape shape = shape(2, 2, 1, 37, 70, 5, 4, Layout.BHND);
        for (Similarity similarity : Similarity.values()) {
            AttentionSpec spec =
                    AttentionSpec.DEFAULT.withSimilarity(similarity).withSoftcap(2);
            SeriesProblem problem = new SeriesProblem(
                            shape, spec.withCausal(Alignment.TOP_LEFT), SeriesRing.taylor(2), 5)
                    .withSink()
                    .withBias(true, true, true, true)
                    .withMask(false, true, true, true);
            Map<String, double[]> clean = problem.run(backend, DType.F64, true);
            // The keys from 37 on are after every query; key 36 is seen by the last query alone, whose mask hides it.
            double[] mask = problem.numbers.get("mask");
            for (int head = 0; head < 2; head++) {
                mask[(head * 37 + 36) * 70 + 36] = Double.NEGATIVE_INFINITY;
            }
            Map<String, double[]> masked = problem.run(backend, DType.F64, true);
            for (Map.Entry<String, double[]> part : problem.numbers.entrySet()) {
                double[] x = part.getValue();
                int width = part.getKey().startsWith("key") ? 5 : part.getKey().startsWith("value") ? 4 : 0;
                for (int b = 0; b < 2 && width > 0; b++) {
                    Arrays.fill(x, (b * 70 + 36) * width, (b * 70 + 50) * width, Double.NaN);
                    Arrays.fill(x, (b * 70 + 50) * width, (b + 1) * 70 * width, Double.POSITIVE_INFINITY);
                }
                if (part.getKey().startsWith("bias")) {
                    for (int i = 0; i < x.length; i++) {
                        x[i] = i % 70 >= 36 ? Double.NaN : x[i];
                    }
                }
            }
            Map<String, double[]> actual = problem.run(backend, DType.F64, true);
            masked.forEach((name, values) -> {
                assertClose(values, actual.get(name), similarity + " " + name);
                int width = name.startsWith("key") ? 5 : name.startsWith("value") ? 4 : 0;
                for (int i = 36 * width; i < 70 * width; i++) {
                    assertThat(actual.get(name)[i]).as(name).isZero();
                }
            });
            assertThat(masked.get("output.0")).isNotEqualTo(clean.get("output.0"));
        }
    }

    @Test
    void aRowThatSeesNotANumberTellsNobodyElse() {
        AttentionShape shape = shape(1, 1, 1, 34, 40, 3, 4, Layout.BHND);
        SeriesProblem problem =
                new SeriesProblem(shape, AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT), SeriesRing.taylor(1), 5);
        Map<String, double[]> clean = problem.run(backend, DType.F64, true);
        problem.numbers.get("query.0")[9 * 3] = Double.NaN;
        problem.numbers.get("output.0")[9 * 4] = Double.NaN;
        Map<String, double[]> actual = problem.run(backend, DType.F64, true);
        for (String name : List.of("output.0", "query.0")) {
            int width = name.startsWith("output") ? 4 : 3;
            for (int i = 0; i < 34 * width; i++) {
                if (i / width == 9) {
                    assertThat(actual.get(name)[i]).isNaN();
                } else {
                    assertThat(actual.get(name)[i]).isCloseTo(clean.get(name)[i], within(1e-13));
                }
            }
        }
        for (int i = 0; i < 40 * 3; i++) {
            // Query 9 sees the first ten keys.
            assertThat(Double.isNaN(actual.get("key.0")[i])).isEqualTo(i / 3 < 10);
            if (i / 3 >= 10) {
                assertThat(actual.get("key.0")[i]).isCloseTo(clean.get("key.0")[i], within(1e-13));
            }
        }
    }

    /** The log-sum-exp of a row masked with the lowest number has no digits for its logarithm; derivatives need them. */
    @Test
    void rowsOfTheLowestNumber() {
        AttentionShape shape = shape(2, 2, 1, 37, 70, 5, 4, Layout.BNHD);
        for (SeriesRing ring : RINGS) {
            for (double lowest : new double[] {-1e12, -Float.MAX_VALUE, -Double.MAX_VALUE}) {
                for (boolean sink : new boolean[] {false, true}) {
                    SeriesProblem problem =
                            new SeriesProblem(shape, AttentionSpec.DEFAULT, ring, 5).withMask(true, false, true, true);
                    double[] mask = problem.numbers.get("mask");
                    for (int i = 0; i < mask.length; i++) {
                        // Of three rows one as it is, one masked throughout, and one in part; some keys stay hidden.
                        int row = i / 70 % 3;
                        boolean low = row == 1 || row == 2 && i % 2 == 0;
                        mask[i] = low && mask[i] != Double.NEGATIVE_INFINITY ? lowest : mask[i];
                    }
                    if (sink) {
                        problem.withSink();
                        problem.numbers.get("sink.0")[1] = lowest;
                    }
                    check(problem);
                }
            }
        }
    }

    @Test
    void threadsChangeNoBit() {
        AttentionShape shape = shape(2, 2, 1, 70, 90, 5, 4, Layout.BNHD);
        SeriesProblem problem = new SeriesProblem(
                        shape, AttentionSpec.DEFAULT.withDropout(0.1, 3), SeriesRing.taylor(2), 5)
                .withBias(false, false, true, true)
                .withSink();
        Map<String, double[]> expected = problem.run(backend, DType.F64, true);
        for (int threads : new int[] {1, 3, 5}) {
            try (CpuBackend other = new CpuBackend(KernelChoice.KERNELS, threads)) {
                problem.run(other, DType.F64, true)
                        .forEach((name, values) -> assertThat(values).as(name).isEqualTo(expected.get(name)));
            }
        }
    }

    @Test
    void aHigherOrderIsTheDerivativeOfTheOneBefore() {
        AttentionShape shape = shape(1, 2, 1, 6, 9, 4, 3, Layout.BHND);
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(3).withSimilarity(Similarity.COSINE);
        SeriesProblem problem = new SeriesProblem(shape, spec, SeriesRing.taylor(8), 5).withSink();
        problem.numbers.keySet().removeIf(name -> !name.endsWith(".0") && !name.endsWith(".1"));
        Map<String, double[]> at = problem.run(backend, DType.F64, true);
        // Along a straight line, the series about one point gives the numbers at another nearby.
        double step = 0x1p-6;
        for (String part : List.of("query", "key", "value", "output", "logSumExp", "sink")) {
            double[] direction = problem.numbers.get(part + ".1");
            double[] x = problem.numbers.get(part + ".0");
            for (int i = 0; direction != null && i < x.length; i++) {
                x[i] += step * direction[i];
            }
        }
        Map<String, double[]> there = problem.run(backend, DType.F64, true);
        for (String part : List.of("query", "key", "value", "output", "logSumExp", "sink")) {
            double last =
                    Arrays.stream(at.get(part + ".8")).map(Math::abs).max().orElse(0) * Math.pow(step, 8);
            for (int i = 0; i < there.get(part + ".0").length; i++) {
                double sum = 0;
                for (int p = 8; p >= 0; p--) {
                    sum = sum * step + at.get(part + '.' + p)[i];
                }
                assertThat(sum)
                        .as("%s, element %d", part, i)
                        .isCloseTo(there.get(part + ".0")[i], within(1e-13 + last));
            }
        }
    }
}
