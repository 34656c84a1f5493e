package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.assertj.core.data.Offset;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.kernels.scalar.ScalarAttentionKernels;
import org.fovea.backend.cpu.kernels.vector.VectorAttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("vectors")
class FusedPassesTest {
    private static final AttentionKernels SCALAR = new ScalarAttentionKernels();
    private static final AttentionKernels VECTOR = new VectorAttentionKernels();

    @Property(tries = 400)
    void vectorKernelsGiveTheTextbooksValuesAndGradients(@ForAll("cases") AttentionCase c) {
        assertMatches(c, c.run(VECTOR, 1));
    }

    @Property(tries = 100)
    void scalarKernelsGiveTheTextbooksValuesAndGradients(@ForAll("cases") AttentionCase c) {
        assertMatches(c, c.run(SCALAR, 1));
    }

    @Property(tries = 60)
    void threadsDoNotChangeABit(@ForAll("cases") AttentionCase c) {
        assertSameBits(c.run(VECTOR, 3), c.run(VECTOR, 1));
    }

    @Property(tries = 150)
    void whatNobodySeesTouchesNothing(@ForAll("cases") AttentionCase c, @ForAll Random random) {
        AttentionCase.Result clean = c.run(VECTOR, 1);
        poisonUnseenKeys(c, random);
        AttentionCase.Result poisoned = c.run(VECTOR, 1);
        assertSameBits(poisoned, clean);
        assertMatches(c, c.run(SCALAR, 1));
    }

    @ParameterizedTest
    @CsvSource({"BHND, 17", "BNHD, 16", "BNHD, 64"})
    void aBadKeySpoilsOnlyTheQueriesThatSeeIt(Layout layout, int dim) {
        AttentionShape shape = new AttentionShape(2, 2, 97, 97, dim, dim, layout);
        AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT);
        AttentionCase c = new AttentionCase(shape, causal, 5, 1);
        AttentionCase.Result clean = c.run(VECTOR, 1);
        int bad = 71;
        for (int h = 0; h < 2; h++) {
            int row = c.row(0, h, 97, bad) * dim;
            Arrays.fill(c.key, row, row + dim, Float.NaN);
            Arrays.fill(c.value, row, row + dim, Float.POSITIVE_INFINITY);
        }
        AttentionCase.Result spoiled = c.run(VECTOR, 1);
        for (int h = 0; h < 2; h++) {
            for (int i = 0; i < 97; i++) {
                int from = c.row(0, h, 97, i) * dim;
                int to = from + dim;
                if (i < bad) {
                    assertThat(Arrays.copyOfRange(spoiled.output, from, to))
                            .isEqualTo(Arrays.copyOfRange(clean.output, from, to));
                    assertThat(Arrays.copyOfRange(spoiled.dQuery, from, to))
                            .isEqualTo(Arrays.copyOfRange(clean.dQuery, from, to));
                } else {
                    assertThat(Float.isNaN(spoiled.output[from])).isTrue();
                }
            }
        }
    }

    @Test
    void aBadQueryThatSeesNothingLeavesTheGradientsOfKeysAlone() {
        AttentionShape shape = new AttentionShape(1, 1, 40, 30, 16, 16, Layout.BHND);
        AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT);
        AttentionCase c = new AttentionCase(shape, spec, 9, 1);
        AttentionCase.Result clean = c.run(VECTOR, 1);
        Arrays.fill(c.query, 0, 16, Float.NaN);
        Arrays.fill(c.dOutput, 0, 16, Float.POSITIVE_INFINITY);
        AttentionCase.Result result = c.run(VECTOR, 1);
        assertThat(result.output).isEqualTo(clean.output);
        assertThat(result.dQuery).isEqualTo(clean.dQuery);
        assertThat(result.dKey).isEqualTo(clean.dKey);
        assertThat(result.dValue).isEqualTo(clean.dValue);
    }

    @ParameterizedTest
    @CsvSource({"0, 5", "5, 0", "0, 0"})
    void noQueriesOrNoKeysIsNotAnError(int queries, int keys) {
        AttentionShape shape = new AttentionShape(2, 3, queries, keys, 8, 4, Layout.BNHD);
        AttentionCase c = new AttentionCase(shape, AttentionSpec.DEFAULT, 1, 1);
        AttentionCase.Result result = c.run(VECTOR, 2);
        assertThat(result.output).containsOnly(new float[queries == 0 ? 0 : 1]);
        assertMatches(c, result);
    }

    @Test
    void permutingTheKeysChangesNothingButRounding() {
        AttentionShape shape = new AttentionShape(1, 1, 33, 207, 40, 31, Layout.BHND);
        AttentionCase c = new AttentionCase(shape, AttentionSpec.DEFAULT, 3, 1);
        AttentionCase.Result before = c.run(VECTOR, 1);
        AttentionCase permuted = new AttentionCase(shape, AttentionSpec.DEFAULT, 3, 1);
        for (int j = 0; j < 207; j++) {
            int to = (j * 100 + 7) % 207;
            System.arraycopy(c.key, j * 40, permuted.key, to * 40, 40);
            System.arraycopy(c.value, j * 31, permuted.value, to * 31, 31);
        }
        AttentionCase.Result after = permuted.run(VECTOR, 1);
        assertThat(after.output).containsExactly(before.output, Offset.offset(2e-6f));
        assertThat(after.dQuery).containsExactly(before.dQuery, Offset.offset(2e-5f));
    }

    @ParameterizedTest
    @CsvSource({"16, 4, 16, 16, 16, 3", "3, 2, 7, 5, 31, 6", "2, 1, 130, 64, 96, 0", "1, 3, 1, 1, 1, 0"})
    void decodeAttendsToTheNewestSlots(int batch, int heads, int capacity, int headDim, int valueDim, int newest) {
        DecodeShape shape = new DecodeShape(batch, heads, capacity, headDim, valueDim);
        Random random = new Random(4);
        int[] counts = new int[batch];
        for (int b = 0; b < batch; b++) {
            counts[b] = b % (capacity + 1);
        }
        counts[batch - 1] = capacity;
        float[] query = gaussians(random, batch * heads * headDim);
        float[] keys = gaussians(random, batch * capacity * heads * headDim);
        float[] values = gaussians(random, batch * capacity * heads * valueDim);
        for (int b = 0; b < batch; b++) {
            for (int age = counts[b]; age < capacity; age++) {
                int slot = (b * capacity + Math.floorMod(newest - age, capacity)) * heads;
                Arrays.fill(keys, slot * headDim, (slot + heads) * headDim, Float.NaN);
                Arrays.fill(values, slot * valueDim, (slot + heads) * valueDim, Float.NaN);
            }
        }
        for (AttentionKernels kernels : new AttentionKernels[] {SCALAR, VECTOR}) {
            CpuArray output = AttentionCase.garbage((long) batch * heads * valueDim);
            CpuArray countArray = AttentionCase.array(counts);
            assertThat(countArray).isNotNull();
            try (Workers workers = new Workers(2);
                    Backend memory = Backends.open("cpu", 1).backend()) {
                new FusedPasses(kernels, workers, memory.memory()::openScope)
                        .decode(
                                new DecodeCall<>(
                                        shape,
                                        AttentionSpec.DEFAULT.withScale(0.4f),
                                        AttentionCase.array(query),
                                        AttentionCase.array(keys),
                                        AttentionCase.array(values),
                                        countArray,
                                        newest),
                                output);
            }
            assertThat(AttentionCase.floats(output))
                    .containsExactly(
                            naiveDecode(shape, 0.4f, query, keys, values, counts, newest), Offset.offset(3e-6f));
        }
    }

    private static float[] naiveDecode(
            DecodeShape shape, float scale, float[] query, float[] keys, float[] values, int[] counts, int newest) {
        float[] output = new float[shape.batch() * shape.heads() * shape.valueDim()];
        for (int b = 0; b < shape.batch(); b++) {
            for (int h = 0; h < shape.heads(); h++) {
                double sum = 0;
                double[] weighted = new double[shape.valueDim()];
                for (int age = 0; age < counts[b]; age++) {
                    int slot = Math.floorMod(newest - age, shape.capacity());
                    int row = (b * shape.capacity() + slot) * shape.heads() + h;
                    double dot = 0;
                    for (int c = 0; c < shape.headDim(); c++) {
                        dot += (double) query[(b * shape.heads() + h) * shape.headDim() + c]
                                * keys[row * shape.headDim() + c];
                    }
                    double weight = Math.exp(scale * dot);
                    sum += weight;
                    for (int c = 0; c < shape.valueDim(); c++) {
                        weighted[c] += weight * values[row * shape.valueDim() + c];
                    }
                }
                for (int c = 0; c < shape.valueDim() && sum > 0; c++) {
                    output[(b * shape.heads() + h) * shape.valueDim() + c] = (float) (weighted[c] / sum);
                }
            }
        }
        return output;
    }

    private static float[] gaussians(Random random, int length) {
        float[] x = new float[length];
        for (int i = 0; i < length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private static void poisonUnseenKeys(AttentionCase c, Random random) {
        AttentionShape shape = c.shape;
        for (int b = 0; b < shape.batch(); b++) {
            for (int j = 0; j < shape.keys(); j++) {
                if (c.seenByAny(b, j)) {
                    continue;
                }
                float poison = random.nextBoolean() ? Float.NaN : Float.NEGATIVE_INFINITY;
                for (int h = 0; h < shape.heads(); h++) {
                    int row = c.row(b, h, shape.keys(), j);
                    Arrays.fill(c.key, row * shape.headDim(), (row + 1) * shape.headDim(), poison);
                    Arrays.fill(c.value, row * shape.valueDim(), (row + 1) * shape.valueDim(), poison);
                }
            }
        }
    }

    private static void assertMatches(AttentionCase c, AttentionCase.Result actual) {
        NaiveAttention expected = c.naive();
        // A score's rounding error is in proportion to the sums on the way to it, before a softcap, and it becomes a
        // relative error of probabilities.
        double relative = 2e-6 * (2 + expected.largestScore);
        assertClose("output", actual.output, expected.output, relative * expected.outputMagnitude);
        assertClose("logSumExp", actual.logSumExp, expected.logSumExp, relative);
        assertClose("dQuery", actual.dQuery, expected.dQuery, relative * expected.dQueryMagnitude);
        assertClose("dKey", actual.dKey, expected.dKey, relative * expected.dKeyMagnitude);
        assertClose("dValue", actual.dValue, expected.dValue, relative * expected.dValueMagnitude);
    }

    private static void assertClose(String name, float[] actual, double[] expected, double tolerance) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            if (actual[i] != expected[i] && !(Math.abs(actual[i] - expected[i]) <= tolerance)) {
                throw new AssertionError(
                        name + "[" + i + "] is " + actual[i] + ", expected " + expected[i] + " within " + tolerance);
            }
        }
    }

    private static void assertSameBits(AttentionCase.Result actual, AttentionCase.Result expected) {
        assertThat(actual.output).isEqualTo(expected.output);
        assertThat(actual.logSumExp).isEqualTo(expected.logSumExp);
        assertThat(actual.dQuery).isEqualTo(expected.dQuery);
        assertThat(actual.dKey).isEqualTo(expected.dKey);
        assertThat(actual.dValue).isEqualTo(expected.dValue);
    }

    @Provide
    Arbitrary<AttentionCase> cases() {
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
        Arbitrary<Integer> windows = Arbitraries.of(-1, -1, 0, 1, 5, 15, 16, 40, 1000);
        Arbitrary<AttentionSpec> specs = Combinators.combine(
                        Arbitraries.of(false, true),
                        Arbitraries.of(Alignment.class),
                        windows,
                        windows,
                        Arbitraries.of(Float.NaN, 0.3f, -0.2f),
                        Arbitraries.of(0.0, 0.0, 1.5, 20.0),
                        Arbitraries.of(0.0, 0.0, 0.3))
                .as((causal, alignment, left, right, scale, softcap, dropout) -> {
                    AttentionSpec spec = AttentionSpec.DEFAULT
                            .withAlignment(alignment)
                            .withWindow(left, right)
                            .withSoftcap(softcap)
                            .withDropout(dropout, left);
                    spec = causal ? spec.withCausal(alignment) : spec;
                    return Float.isNaN(scale) ? spec : spec.withScale(scale);
                });
        return Combinators.combine(
                        shapes,
                        specs,
                        Arbitraries.longs(),
                        Arbitraries.of(false, true),
                        Arbitraries.of(false, true),
                        Arbitraries.of(0.1f, 1f, 1f, 30f))
                .as((shape, spec, seed, segments, lengths, size) -> {
                    AttentionCase c = new AttentionCase(shape, spec, seed, size);
                    if (segments) {
                        c.addSegments(seed + 1);
                    }
                    if (lengths) {
                        c.addKeyLengths(seed + 2);
                    }
                    return c;
                });
    }
}
