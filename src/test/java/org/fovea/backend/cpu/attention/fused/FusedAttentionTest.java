// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fovea.backend.attention.AttentionCall;
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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Attention by float32 kernels of what is not float32 or not a dot product, against series in float64. */
@Tag("vectors")
class FusedAttentionTest {
    private static final AttentionShape GROUPED = new AttentionShape(2, 4, 2, 33, 97, 13, 6, Layout.BNHD);
    private static final AttentionShape SHORT = new AttentionShape(3, 2, 2, 17, 31, 16, 16, Layout.BHND);
    private static final AttentionShape ODD = new AttentionShape(1, 3, 1, 6, 5, 1, 2, Layout.BHND);

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);

    @AfterEach
    void close() {
        backend.close();
    }

    private static AttentionSpec spec(Similarity similarity) {
        return AttentionSpec.DEFAULT.withSimilarity(similarity).withCausal(Alignment.BOTTOM_RIGHT);
    }

    private static AttentionOrders problem(AttentionShape shape, Similarity similarity) {
        AttentionOrders problem = new AttentionOrders(shape, spec(similarity), 7);
        problem.keyLengths = new int[shape.batch()];
        Arrays.setAll(problem.keyLengths, b -> shape.keys() - 2 * b);
        return problem;
    }

    /** Each error at most {@code tolerance} of the numbers that are given or of the array's largest. */
    private void assertRight(AttentionOrders problem, double tolerance) {
        Map<String, double[]> expected = problem.run(backend, DType.F64);
        problem.run(backend, DType.F32).forEach((name, actual) -> {
            double[] right = expected.get(name);
            double largest = Arrays.stream(right)
                    .filter(Double::isFinite)
                    .map(Math::abs)
                    .max()
                    .orElse(0);
            for (int i = 0; i < right.length; i++) {
                boolean same = Double.compare(right[i], actual[i]) == 0;
                assertThat(same || Math.abs(right[i] - actual[i]) <= tolerance * (1 + largest))
                        .as("%s[%d] is %s, expected %s: %s", name, i, actual[i], right[i], problem)
                        .isTrue();
            }
        });
    }

    private boolean isFused(AttentionOrders problem) {
        try (Workers workers = new Workers(1);
                FloatArrays floats = new FloatArrays(backend.memory().openScope(), workers)) {
            CpuArray query = floats.allocate(problem.shape.querySize());
            CpuArray key = floats.allocate(problem.shape.keySize());
            backend.memory().upload(problem.get("query"), 0, query);
            backend.memory().upload(problem.get("key"), 0, key);
            AttentionCall<CpuArray> call = AttentionCall.of(problem.shape, problem.spec, query, key, key);
            return DotProducts.of(call, floats, workers) != null;
        }
    }

    /** So they are, bit by bit, what the float32 kernels give for the same numbers. */
    @ParameterizedTest
    @EnumSource(Similarity.class)
    void sixteenBitResultsAreThoseOfFloat32RoundedOnce(Similarity similarity) {
        for (AttentionShape shape : List.of(GROUPED, SHORT, ODD)) {
            AttentionOrders problem = problem(shape, similarity);
            Map<String, double[]> wide = problem.run(backend, DType.F32);
            for (DType type : List.of(DType.BF16, DType.F16)) {
                problem.run(backend, type).forEach((name, actual) -> {
                    double[] expected = wide.get(name).clone();
                    if (!name.contains("logSumExp")) {
                        Arrays.setAll(expected, i -> HalfPrecision.value(type, HalfPrecision.bits(type, expected[i])));
                    }
                    assertThat(actual).as("%s of %s in %s", name, problem, type).isEqualTo(expected);
                });
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Similarity.class)
    void everyOrderIsRight(Similarity similarity) {
        for (AttentionShape shape : List.of(GROUPED, SHORT, ODD)) {
            AttentionOrders problem = problem(shape, similarity);
            assertThat(isFused(problem)).isTrue();
            assertRight(problem, 1e-5);
        }
    }

    /** Three columns more than a row has would be too many. */
    @Test
    void longestRows() {
        for (int dim : new int[] {253, 254, 256}) {
            AttentionShape shape = new AttentionShape(1, 1, 3, 5, dim, 2, Layout.BHND);
            assertRight(new AttentionOrders(shape, spec(Similarity.EUCLIDEAN), 3), 1e-5);
            assertRight(new AttentionOrders(shape, spec(Similarity.COSINE), 3), 1e-5);
        }
    }

    @Test
    void threadsDoNotChangeABit() {
        try (CpuBackend other = new CpuBackend(KernelChoice.KERNELS, 3)) {
            for (Similarity similarity : Similarity.values()) {
                AttentionOrders problem = problem(GROUPED, similarity);
                Map<String, double[]> expected = problem.run(backend, DType.BF16);
                problem.run(other, DType.BF16)
                        .forEach((name, actual) -> assertThat(actual).as(name).isEqualTo(expected.get(name)));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Similarity.class)
    void aSecondCallTakesNoMemory(Similarity similarity) {
        AttentionOrders problem = problem(GROUPED, similarity);
        problem.run(backend, DType.BF16);
        long reserved = backend.memory().reservedBytes();
        problem.run(backend, DType.BF16);
        assertThat(backend.memory().reservedBytes()).isEqualTo(reserved);
        assertThat(backend.memory().liveBytes()).isZero();
    }

    @ParameterizedTest
    @EnumSource(Similarity.class)
    void whatNobodySeesTouchesNothing(Similarity similarity) {
        AttentionOrders problem = problem(SHORT, similarity);
        Map<String, double[]> clean = problem.run(backend, DType.F32);
        int dim = SHORT.headDim();
        for (int head = 2; head < 6; head++) {
            for (int j = 27; j < 31; j++) {
                if (j >= SHORT.keys() - 2 * (head / 2)) {
                    int at = problem.key(head, j);
                    for (String name : new String[] {"key", "t.key", "value", "t.value"}) {
                        Arrays.fill(problem.get(name), at, at + dim, Double.NaN);
                    }
                    problem.get("key")[at] = j % 2 == 0 ? 1 : Double.NEGATIVE_INFINITY;
                }
            }
        }
        assertThat(isFused(problem)).isTrue();
        problem.run(backend, DType.F32)
                .forEach((name, actual) -> assertThat(actual).as(name).isEqualTo(clean.get(name)));
    }

    /** The mean, about which distances are computed, must not be an infinity's. */
    @Test
    void hiddenInfinitiesAndHugeNumbersTouchNoDistance() {
        for (double hidden : new double[] {Double.POSITIVE_INFINITY, 1e30, 300}) {
            AttentionOrders problem = problem(SHORT, Similarity.EUCLIDEAN);
            int at = problem.key(5, 30);
            Arrays.fill(problem.get("key"), at, at + SHORT.headDim(), hidden);
            assertRight(problem, 1e-5);
        }
    }

    @Test
    void rowsOfZerosAndOfHugeAndTinyNumbersHaveCosines() {
        AttentionOrders problem = problem(SHORT, Similarity.COSINE);
        int dim = SHORT.headDim();
        for (String name : new String[] {"query", "key"}) {
            double[] x = problem.get(name);
            Arrays.fill(x, dim, 2 * dim, 0);
            for (int i = 2 * dim; i < 3 * dim; i++) {
                x[i] *= 1e30;
            }
        }
        assertThat(isFused(problem)).isTrue();
        assertRight(problem, 1e-5);
        Map<String, double[]> results = problem.run(backend, DType.F32);
        for (String name : new String[] {"query", "t.query", "key", "t.key"}) {
            assertThat(Arrays.copyOfRange(results.get(name), dim, 2 * dim))
                    .as(name + " gradient of a row of zeros")
                    .containsOnly(0);
        }
    }

    /** Gradients are as many times larger as rows are smaller. */
    @Test
    void tinyRowsHaveCosines() {
        AttentionOrders plain = problem(SHORT, Similarity.COSINE);
        AttentionOrders tiny = problem(SHORT, Similarity.COSINE);
        for (String name : new String[] {"query", "key", "t.query", "t.key"}) {
            double[] x = tiny.get(name);
            Arrays.setAll(x, i -> Math.scalb(x[i], -100));
        }
        Map<String, double[]> expected = plain.run(backend, DType.F32);
        Map<String, double[]> actual = tiny.run(backend, DType.F32);
        for (String name : new String[] {"output", "t.output", "logSumExp", "t.logSumExp", "value", "t.value"}) {
            assertThat(actual.get(name)).as(name).isEqualTo(expected.get(name));
        }
        for (String name : new String[] {"query", "t.query", "key", "t.key"}) {
            double[] larger = expected.get(name);
            Arrays.setAll(larger, i -> Math.scalb(larger[i], 100));
            assertThat(actual.get(name)).as(name).isEqualTo(larger);
        }
    }

    /** Where q and k are 1000 from the origin and 1 from each other. */
    @Test
    void distancesDoNotDependOnTheOrigin() {
        AttentionOrders problem = problem(GROUPED, Similarity.EUCLIDEAN);
        for (String name : new String[] {"query", "key"}) {
            double[] x = problem.get(name);
            Arrays.setAll(x, i -> x[i] / 4 + (i % GROUPED.headDim() % 2 == 0 ? 1000 : -1000));
        }
        assertThat(isFused(problem)).isTrue();
        assertRight(problem, 1e-5);
    }

    /** Clusters far from each other leave float32 no digits for distances within one. */
    @Test
    void distantClustersAreLeftToFloat64() {
        AttentionOrders problem = problem(SHORT, Similarity.EUCLIDEAN);
        for (String name : new String[] {"query", "key"}) {
            double[] x = problem.get(name);
            Arrays.setAll(x, i -> x[i] + (i / SHORT.headDim() % 2 == 0 ? 1000 : -1000));
        }
        assertThat(isFused(problem)).isFalse();
        assertRight(problem, 1e-5);
    }
}
