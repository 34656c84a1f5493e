// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention by float32 kernels of what is not float32 or not a dot product. */
@Tag("vectors")
class FusedAttentionTest {
    private static final AttentionShape GROUPED = new AttentionShape(2, 4, 2, 33, 97, 13, 6, Layout.BNHD);
    private static final AttentionShape SHORT = new AttentionShape(3, 2, 2, 17, 31, 16, 16, Layout.BHND);
    private static final AttentionShape ODD = new AttentionShape(1, 3, 1, 6, 5, 1, 2, Layout.BHND);

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ReferenceBackend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
        reference.close();
    }

    /** Of a length two keys shorter in each batch row. */
    private static AttentionFeatures features(AttentionShape shape, Similarity similarity) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSimilarity(similarity).withCausal(Alignment.BOTTOM_RIGHT);
        return new AttentionFeatures("fused", shape, spec)
                .withLengths(IntStream.range(0, shape.batch())
                        .map(b -> shape.keys() - 2 * b)
                        .toArray());
    }

    private static AttentionProblem problem(Pair pair, AttentionFeatures features) {
        return new AttentionProblem(pair, features, 7, true);
    }

    /** Checks every order after a change of the numbers. */
    private void check(AttentionFeatures features, Consumer<AttentionProblem> change) {
        try (Pair pair = new Pair(backend, reference)) {
            AttentionProblem problem = problem(pair, features);
            change.accept(problem);
            problem.checkEveryOrder();
        }
    }

    private void checkFused(AttentionFeatures features, Consumer<AttentionProblem> change) {
        check(features, problem -> {
            change.accept(problem);
            assertThat(isFused(problem)).isTrue();
        });
    }

    private boolean isFused(AttentionProblem problem) {
        try (Workers workers = new Workers(1);
                FloatArrays floats = new FloatArrays(backend.memory().openScope(), workers)) {
            return DotProducts.of(problem.on(backend).map(x -> (CpuArray) x), floats, workers) != null;
        }
    }

    /** Every order on one backend alone, by name. */
    private static Map<String, double[]> results(
            CpuBackend on, AttentionFeatures features, Consumer<AttentionProblem> change) {
        try (Pair pair = new Pair(on, on)) {
            AttentionProblem problem = problem(pair, features).allowing(0);
            change.accept(problem);
            Map<String, double[]> results = new LinkedHashMap<>();
            problem.everyOrder().forEach((name, x) -> results.put(name, x.actual()));
            return results;
        }
    }

    private static Map<String, double[]> results(CpuBackend on, AttentionFeatures features) {
        return results(on, features, problem -> {});
    }

    private static void assertSame(Map<String, double[]> actual, Map<String, double[]> expected, String what) {
        actual.forEach((name, x) -> assertThat(x).as("%s, %s", name, what).isEqualTo(expected.get(name)));
    }

    /** A product of 256 equal numbers, each of which rounds alike: added one after the other they are off by 54 units of rounding. */
    @Test
    void longProductsAreAddedUpInParts() {
        AttentionShape shape = new AttentionShape(1, 1, 1, 5, 1, 256, 1, Layout.BHND);
        try (Pair pair = new Pair(backend, reference)) {
            AttentionProblem problem = problem(pair, new AttentionFeatures("long rows", shape, AttentionSpec.DEFAULT));
            change(problem.inputs.query(), (i, old) -> 1.7f);
            change(problem.inputs.key(), (i, old) -> 1.7f);
            problem.checkForward();
            double exact = problem.logSumExp.expected()[0];
            assertThat(problem.logSumExp.actual())
                    .containsOnly(problem.logSumExp.actual()[0]);
            assertThat(problem.logSumExp.actual()[0]).isCloseTo(exact, offset(16 * 0x1p-24 * exact));
        }
    }

    private interface Replacement {
        double of(int index, double old);
    }

    private static void change(Pair.Both array, Replacement number) {
        double[] x = array.expected();
        Arrays.setAll(x, i -> number.of(i, x[i]));
        array.upload(x);
    }

    /** So they are, bit by bit, what the float32 kernels give for the same numbers. */
    @ParameterizedTest
    @EnumSource(Similarity.class)
    void sixteenBitResultsAreThoseOfFloat32RoundedOnce(Similarity similarity) {
        for (AttentionShape shape : List.of(GROUPED, SHORT, ODD)) {
            AttentionFeatures features = features(shape, similarity);
            for (DType type : List.of(DType.BF16, DType.F16)) {
                Map<String, double[]> expected = results(backend, features);
                expected.forEach((name, x) -> {
                    if (!name.contains("logSumExp")) {
                        Arrays.setAll(x, i -> HalfPrecision.value(type, HalfPrecision.bits(type, x[i])));
                    }
                });
                assertSame(
                        results(backend, features.of(type)),
                        expected,
                        features.of(type).toString());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Similarity.class)
    void everyOrderIsRight(Similarity similarity) {
        for (AttentionShape shape : List.of(GROUPED, SHORT, ODD)) {
            checkFused(features(shape, similarity), problem -> {});
        }
    }

    /** Three columns more than a row has would be too many. */
    @Test
    void longestRows() {
        for (int dim : new int[] {253, 254, 256}) {
            AttentionShape shape = new AttentionShape(1, 1, 3, 5, dim, 2, Layout.BHND);
            check(features(shape, Similarity.EUCLIDEAN), problem -> {});
            check(features(shape, Similarity.COSINE), problem -> {});
        }
    }

    @Test
    void threadsDoNotChangeABit() {
        try (CpuBackend other = new CpuBackend(KernelChoice.KERNELS, 3)) {
            for (Similarity similarity : Similarity.values()) {
                AttentionFeatures features = features(GROUPED, similarity).of(DType.BF16);
                assertSame(results(other, features), results(backend, features), features.toString());
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Similarity.class)
    void aSecondCallTakesNoMemory(Similarity similarity) {
        AttentionFeatures features = features(GROUPED, similarity).of(DType.BF16);
        results(backend, features);
        long reserved = backend.memory().reservedBytes();
        results(backend, features);
        assertThat(backend.memory().reservedBytes()).isEqualTo(reserved);
        assertThat(backend.memory().liveBytes()).isZero();
    }

    /** NaN among the keys that a length hides, with infinities and ordinary numbers in some of these. */
    @ParameterizedTest
    @EnumSource(Similarity.class)
    void whatNobodySeesTouchesNothing(Similarity similarity) {
        AttentionFeatures features = features(SHORT, similarity);
        int row = SHORT.headDim();
        int head = SHORT.keys() * row;
        Replacement hidden = (i, old) -> {
            int j = i % head / row;
            if (j < SHORT.keys() - 2 * (i / head / SHORT.heads())) {
                return old;
            }
            return i % row > 0 ? Double.NaN : j % 2 == 0 ? 1 : Double.NEGATIVE_INFINITY;
        };
        Map<String, double[]> spoiled = results(backend, features, problem -> {
            for (AttentionPlane<Pair.Both> plane : List.of(problem.inputs, problem.tangents())) {
                change(plane.key(), hidden);
                change(plane.value(), hidden);
            }
            assertThat(isFused(problem)).isTrue();
        });
        assertSame(spoiled, results(backend, features), "with numbers in hidden places");
    }

    /** The mean, about which distances are computed, must not be an infinity's. */
    @Test
    void hiddenInfinitiesAndHugeNumbersTouchNoDistance() {
        int row = SHORT.headDim();
        int at = (5 * SHORT.keys() + 30) * row;
        for (double hidden : new double[] {Double.POSITIVE_INFINITY, 1e30, 300}) {
            check(
                    features(SHORT, Similarity.EUCLIDEAN),
                    problem -> change(problem.inputs.key(), (i, old) -> i >= at && i < at + row ? hidden : old));
        }
    }

    /** The third row is huge, and the second zeros, as of every problem of cosines. */
    @Test
    void rowsOfZerosAndOfHugeNumbersHaveCosines() {
        int row = SHORT.headDim();
        checkFused(features(SHORT, Similarity.COSINE), problem -> {
            for (Pair.Both rows : List.of(problem.inputs.query(), problem.inputs.key())) {
                change(rows, (i, old) -> i / row == 2 ? 1e30 * old : old);
            }
        });
        Map<String, double[]> results = results(backend, features(SHORT, Similarity.COSINE));
        for (String name : List.of("query", "key")) {
            for (String role : List.of("gradient of ", "tangent with everything of ")) {
                assertThat(Arrays.copyOfRange(results.get(role + name), row, 2 * row))
                        .as(role + name + " of a row of zeros")
                        .containsOnly(0);
            }
        }
    }

    /** Gradients are as many times larger as rows are smaller. */
    @Test
    void tinyRowsHaveCosines() {
        AttentionFeatures features = features(SHORT, Similarity.COSINE);
        Map<String, double[]> expected = results(backend, features);
        expected.forEach((name, x) -> {
            if (name.endsWith("query") || name.endsWith("key")) {
                Arrays.setAll(x, i -> Math.scalb(x[i], 100));
            }
        });
        Map<String, double[]> tiny = results(backend, features, problem -> {
            for (AttentionPlane<Pair.Both> plane : List.of(problem.inputs, problem.tangents())) {
                change(plane.query(), (i, old) -> Math.scalb(old, -100));
                change(plane.key(), (i, old) -> Math.scalb(old, -100));
            }
        });
        assertSame(tiny, expected, "tiny rows");
    }

    /** Where q and k are 1000 from the origin and 1 from each other. */
    @Test
    void distancesDoNotDependOnTheOrigin() {
        Replacement moved = (i, old) -> old / 4 + (i % GROUPED.headDim() % 2 == 0 ? 1000 : -1000);
        checkFused(features(GROUPED, Similarity.EUCLIDEAN), problem -> {
            problem.allowing(1e-5);
            change(problem.inputs.query(), moved);
            change(problem.inputs.key(), moved);
        });
    }

    /** Clusters far from each other leave float32 no digits for distances within one. */
    @Test
    void distantClustersAreLeftToFloat64() {
        Replacement moved = (i, old) -> old + (i / SHORT.headDim() % 2 == 0 ? 1000 : -1000);
        check(features(SHORT, Similarity.EUCLIDEAN), problem -> {
            problem.allowing(1e-5);
            change(problem.inputs.query(), moved);
            change(problem.inputs.key(), moved);
            assertThat(isFused(problem)).isFalse();
        });
    }
}
