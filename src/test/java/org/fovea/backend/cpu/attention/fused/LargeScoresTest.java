// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.IntToDoubleFunction;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Probabilities that add up to 1 however large scores are, in every derivative, beside the float64 loops of {@link
 * ReferenceBackend}. Numbers are such that scores are exact in float32, or errors of scores do not count: what is right does not
 * depend on how sums are rounded.
 */
@Tag("vectors")
class LargeScoresTest {
    private static final int D = 4;

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ReferenceBackend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
        reference.close();
    }

    private static AttentionFeatures features(int queries, int keys, DType type) {
        AttentionShape shape = AttentionFeatures.shape(1, 1, 1, queries, keys, D, 3);
        return new AttentionFeatures("large scores", shape, AttentionSpec.DEFAULT).of(type);
    }

    private static AttentionFeatures features(int queries, int keys) {
        return features(queries, keys, DType.F32);
    }

    private static void set(Pair.Both array, IntToDoubleFunction number) {
        double[] x = Objects.requireNonNull(array).expected();
        Arrays.setAll(x, number);
        array.upload(x);
    }

    /** What a test sets of a problem, whose numbers are at random. */
    private interface Change {
        void of(AttentionProblem problem);
    }

    private static Change rows(IntToDoubleFunction query, IntToDoubleFunction key) {
        return problem -> {
            set(problem.inputs.query(), query);
            set(problem.inputs.key(), key);
        };
    }

    private void check(AttentionFeatures features, Change change) {
        check(features, 1e-5, change, problem -> {});
    }

    /** Checks every order, that rows of probabilities add up to 1, and what a test says of the results. */
    private void check(AttentionFeatures features, double tolerance, Change change, Change check) {
        try (Pair pair = new Pair(backend, reference)) {
            AttentionProblem problem = new AttentionProblem(pair, features, 11, true).allowing(tolerance);
            change.of(problem);
            problem.checkForward();
            problem.checkBackward(true);
            problem.checkTangent();
            problem.checkBackwardTangent(AttentionProblem.Given.EVERYTHING);
            problem.checkWeights();
            int keys = features.shape().keys();
            int queries = features.sink() ? 0 : features.shape().queries();
            double[] weights = problem.weights(ScoreStage.SOFTMAX, 0, queries).actual();
            for (int i = 0; i < queries; i++) {
                double sum = Arrays.stream(weights, i * keys, (i + 1) * keys).sum();
                assertThat(sum).as("sum of row %d", i).isCloseTo(1, offset(2e-6));
            }
            check.of(problem);
        }
    }

    /** Queries and keys with whole numbers, and scores that are multiples of the largest: ties, and keys far below. */
    @ParameterizedTest
    @CsvSource({"100, 5", "100, 70", "3000, 5", "3000, 70", "1e4, 5", "1e4, 70", "1e6, 5", "1e6, 70", "1e8, 70"})
    void scoresOfAnySize(double size, int keys) {
        check(
                features(7, keys),
                rows(i -> i % D == 0 ? 2 * size : 0, i -> i % D == 0 ? 1 + i / D % 3 / 2 : 0.25 * (i % 5)));
    }

    /** All scores of a row are alike, and large: its probabilities are 1 / keys. */
    @ParameterizedTest
    @ValueSource(doubles = {30, 100, 1000})
    void constantQueriesAndKeys(double number) {
        for (int keys : new int[] {3, 33, 70}) {
            check(features(5, keys), rows(i -> number, i -> number));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {-3000, -1e5, -1e6, -1e8})
    void rowsOfLowScores(double low) {
        for (int keys : new int[] {3, 70}) {
            check(features(5, keys), rows(i -> i % D == 0 ? 2 * low : 0, i -> i % D == 0 ? 1 : 0.5 * (i % 3)));
        }
    }

    /** One key has nearly all probability: its {@code dP - D} is a difference of numbers that are nearly equal. */
    @ParameterizedTest
    @CsvSource({
        "BF16, 3, 0",
        "BF16, 70, 0",
        "F16, 70, 0",
        "BF16, 3, 0.5",
        "BF16, 70, 0.5",
        "BF16, 1, 0.9",
        "F16, 150, 0"
    })
    void oneKeyDominates(DType type, int keys, double dropout) {
        // What is rounded is the result alone, or a tenth of it where dropout makes values larger than it.
        check(
                features(6, keys, type).withSpec(AttentionSpec.DEFAULT.withDropout(dropout, 1)),
                type == DType.BF16 ? 0x1p-8 : 0x1p-11,
                rows(
                        i -> i % D == 0 ? 8 : 0.5 * (i % 3),
                        i -> i % D == 0 ? (i / D == keys / 2 ? 2 : 0.5) : 0.25 * (i % 5)),
                problem -> {});
    }

    /** A bias that grows towards keys which causality hides, or the length: none of them has a part in maxima and sums. */
    @ParameterizedTest
    @ValueSource(doubles = {4, 32, 128})
    void biasThatGrowsOnTheHiddenSide(double slope) {
        for (int keys : new int[] {40, 130}) {
            AttentionFeatures biased = features(keys, keys).withBias(AttentionFeatures.DENSE);
            AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT);
            for (AttentionFeatures features :
                    new AttentionFeatures[] {biased.withSpec(causal), biased.withLengths(3)}) {
                Change bias = problem -> {
                    rows(i -> 0.25 * (i % 3), i -> 0.5 * (i % 5)).of(problem);
                    set(problem.inputs.bias(), i -> slope * (i % keys));
                };
                check(features, 2e-5, bias, problem -> {});
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"500, 499", "500, 505", "-500, -503", "7200, 7198"})
    void sinkBesideLargeScores(double score, double sink) {
        for (int keys : new int[] {3, 70}) {
            check(features(5, keys).withSink(), problem -> {
                rows(i -> i % D == 0 ? 2 * score : 0, i -> i % D == 0 ? 1 : 0.25 * (i % 5))
                        .of(problem);
                set(problem.inputs.sink(), i -> sink);
            });
        }
    }

    /** Rows that see no key, and rows whose scores are all -infinity: the sink has all probability, and what flows into it. */
    @Test
    void sinkOfRowsWithoutScores() {
        for (DType type : new DType[] {DType.F32, DType.F64}) {
            for (int keys : new int[] {4, 70}) {
                AttentionFeatures sink = features(5, keys, type).withSink();
                Change ofSink = problem -> set(problem.inputs.sink(), i -> 1.5);
                check(sink.withLengths(0), 1e-6, ofSink, problem -> {
                    assertThat(problem.output.actual()).containsOnly(0);
                    assertThat(problem.logSumExp.actual()).containsOnly(1.5);
                    double given =
                            Arrays.stream(problem.given().logSumExp().actual()).sum();
                    assertThat(problem.backward(true).sink().actual()[0]).isCloseTo(given, offset(1e-6));
                });
                check(
                        sink.withBias(AttentionFeatures.DENSE),
                        1e-5,
                        problem -> {
                            ofSink.of(problem);
                            set(problem.inputs.bias(), i -> i < 2 * keys ? Double.NEGATIVE_INFINITY : 0);
                        },
                        problem -> assertThat(Arrays.copyOf(problem.logSumExp.actual(), 2))
                                .containsOnly(1.5));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 5, 70, 300})
    void meansOfHugeValues(int keys) {
        double huge = 0x1.c8p127;
        for (DType type : new DType[] {DType.F32, DType.BF16}) {
            AttentionFeatures plain = features(20, keys, type);
            AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT);
            for (AttentionFeatures features : new AttentionFeatures[] {plain, plain.withSpec(causal)}) {
                try (Pair pair = new Pair(backend, reference)) {
                    AttentionProblem problem = new AttentionProblem(pair, features, 19, true);
                    set(problem.inputs.value(), i -> huge);
                    problem.forward();
                    for (double x : problem.output.actual()) {
                        assertThat(x / huge).isCloseTo(1, offset(type == DType.F32 ? 4e-6 : 0));
                    }
                }
            }
        }
    }
}
