// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;
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
    private static final int DV = 3;

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 2);
    private final ReferenceBackend reference = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
        reference.close();
    }

    /** Queries and keys with whole numbers, and scores that are multiples of the largest: ties, and keys far below. */
    @ParameterizedTest
    @CsvSource({"100, 5", "100, 70", "3000, 5", "3000, 70", "1e4, 5", "1e4, 70", "1e6, 5", "1e6, 70", "1e8, 70"})
    void scoresOfAnySize(double size, int keys) {
        Attention attention = new Attention(7, keys, 11);
        attention.query(i -> i % D == 0 ? 2 * size : 0);
        attention.key(i -> i % D == 0 ? 1 + i / D % 3 / 2 : 0.25 * (i % 5));
        attention.check(DType.F32, 1e-5);
    }

    /** All scores of a row are alike, and large: its probabilities are 1 / keys. */
    @ParameterizedTest
    @ValueSource(doubles = {30, 100, 1000})
    void constantQueriesAndKeys(double number) {
        for (int keys : new int[] {3, 33, 70}) {
            Attention attention = new Attention(5, keys, 12);
            attention.query(i -> number);
            attention.key(i -> number);
            attention.check(DType.F32, 1e-5);
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {-3000, -1e5, -1e6, -1e8})
    void rowsOfLowScores(double low) {
        for (int keys : new int[] {3, 70}) {
            Attention attention = new Attention(5, keys, 13);
            attention.query(i -> i % D == 0 ? 2 * low : 0);
            attention.key(i -> i % D == 0 ? 1 : 0.5 * (i % 3));
            attention.check(DType.F32, 1e-5);
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
        Attention attention = new Attention(6, keys, 14);
        attention.spec = attention.spec.withDropout(dropout, 1);
        attention.query(i -> i % D == 0 ? 8 : 0.5 * (i % 3));
        attention.key(i -> i % D == 0 ? (i / D == keys / 2 ? 2 : 0.5) : 0.25 * (i % 5));
        // What is rounded is the result alone, or a tenth of it where dropout makes values larger than it.
        attention.check(type, type == DType.BF16 ? 0x1p-8 : 0x1p-11);
    }

    /** A bias that grows towards keys which causality hides, or the length: none of them has a part in maxima and sums. */
    @ParameterizedTest
    @ValueSource(doubles = {4, 32, 128})
    void biasThatGrowsOnTheHiddenSide(double slope) {
        for (boolean causal : new boolean[] {true, false}) {
            for (int keys : new int[] {40, 130}) {
                Attention attention = new Attention(keys, keys, 15);
                attention.bias = new double[keys * keys];
                Arrays.setAll(attention.bias, i -> slope * (i % keys));
                if (causal) {
                    attention.spec = attention.spec.withCausal(AttentionSpec.Alignment.TOP_LEFT);
                } else {
                    attention.length = 3;
                }
                attention.query(i -> 0.25 * (i % 3));
                attention.key(i -> 0.5 * (i % 5));
                attention.check(DType.F32, 2e-5);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"500, 499", "500, 505", "-500, -503", "7200, 7198"})
    void sinkBesideLargeScores(double score, double sink) {
        for (int keys : new int[] {3, 70}) {
            Attention attention = new Attention(5, keys, 16);
            attention.sink = sink;
            attention.query(i -> i % D == 0 ? 2 * score : 0);
            attention.key(i -> i % D == 0 ? 1 : 0.25 * (i % 5));
            attention.check(DType.F32, 1e-5);
        }
    }

    /** Rows that see no key, and rows whose scores are all -infinity: the sink has all probability, and what flows into it. */
    @Test
    void sinkOfRowsWithoutScores() {
        for (DType type : new DType[] {DType.F32, DType.F64}) {
            for (int keys : new int[] {4, 70}) {
                Attention unseen = new Attention(5, keys, 17);
                unseen.sink = 1.5;
                unseen.length = 0;
                Map<String, double[]> found = unseen.check(type, 1e-6);
                assertThat(found.get("output")).containsOnly(0);
                assertThat(found.get("logSumExp")).containsOnly(1.5);
                assertThat(found.get("sink")[0])
                        .isCloseTo(
                                Arrays.stream(unseen.numbers.get("dLogSumExp")).sum(), offset(1e-6));

                Attention low = new Attention(5, keys, 18);
                low.sink = 1.5;
                low.bias = new double[5 * keys];
                Arrays.fill(low.bias, 0, 2 * keys, Double.NEGATIVE_INFINITY);
                found = low.check(type, 1e-5);
                assertThat(Arrays.copyOf(found.get("logSumExp"), 2)).containsOnly(1.5);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 5, 70, 300})
    void meansOfHugeValues(int keys) {
        for (DType type : new DType[] {DType.F32, DType.BF16}) {
            Attention attention = new Attention(20, keys, 19);
            double huge = 0x1.c8p127;
            Arrays.fill(attention.numbers.get("value"), huge);
            for (boolean causal : new boolean[] {false, true}) {
                if (causal) {
                    attention.spec = attention.spec.withCausal(AttentionSpec.Alignment.TOP_LEFT);
                }
                for (double x : attention.run(backend, type, false).get("output")) {
                    assertThat(x / huge).isCloseTo(1, offset(type == DType.F32 ? 4e-6 : 0));
                }
            }
        }
    }

    /** An attention of one head, its numbers by name. */
    private final class Attention {
        private final int queries;
        private final int keys;
        private final AttentionShape shape;
        private final Map<String, double[]> numbers = new LinkedHashMap<>();
        private AttentionSpec spec = AttentionSpec.DEFAULT;
        private double[] bias = {};
        private double sink = Double.NaN;
        private int length = -1;

        Attention(int queries, int keys, long seed) {
            this.queries = queries;
            this.keys = keys;
            shape = new AttentionShape(1, 1, 1, queries, keys, D, DV, AttentionShape.Layout.BHND);
            Random random = new Random(seed);
            for (String prefix : new String[] {"", "t."}) {
                add(prefix + "query", queries * D, random);
                add(prefix + "key", keys * D, random);
                add(prefix + "value", keys * DV, random);
                add(prefix + "dOutput", queries * DV, random);
                add(prefix + "dLogSumExp", queries, random);
                add(prefix + "bias", queries * keys, random);
                add(prefix + "sink", 1, random);
            }
        }

        /** Eighths, which every type has. */
        private void add(String name, int size, Random random) {
            double[] x = new double[size];
            Arrays.setAll(x, i -> Math.rint(random.nextGaussian() * 8) / 8);
            numbers.put(name, x);
        }

        void query(IntToDoubleFunction number) {
            Arrays.setAll(numbers.get("query"), number);
        }

        void key(IntToDoubleFunction number) {
            Arrays.setAll(numbers.get("key"), number);
        }

        private boolean hasSink() {
            return !Double.isNaN(sink);
        }

        /** Compares all results, and that rows of weights add up to 1; returns what the backend gave. */
        Map<String, double[]> check(DType type, double tolerance) {
            Map<String, double[]> expected = run(reference, DType.F64, true);
            Map<String, double[]> actual = run(backend, type, true);
            expected.forEach((name, right) -> {
                double[] found = actual.get(name);
                double size = Arrays.stream(right)
                        .map(Math::abs)
                        .filter(Double::isFinite)
                        .max()
                        .orElse(0);
                if (name.startsWith("t.")) {
                    size += scoreTangent() * factor(name);
                }
                for (int i = 0; i < right.length; i++) {
                    boolean same = right[i] == found[i] || Math.abs(right[i] - found[i]) <= tolerance * (1 + size);
                    assertThat(same)
                            .as("%s[%d] is %s, expected %s", name, i, found[i], right[i])
                            .isTrue();
                }
            });
            for (int i = 0; i < queries && !hasSink() && length != 0; i++) {
                double sum = Arrays.stream(actual.get("weights"), i * keys, (i + 1) * keys)
                        .sum();
                assertThat(sum).as("sum of row %d", i).isCloseTo(1, offset(2e-6));
            }
            return actual;
        }

        /** The most a tangent of a score can be: what all of a row have in common cancels, but for its rounding. */
        private double scoreTangent() {
            double largest = 0;
            for (int i = 0; i < queries; i++) {
                for (int j = 0; j < keys; j++) {
                    double sum = 0;
                    for (int c = 0; c < D; c++) {
                        sum += Math.abs(number("t.query", i, c) * number("key", j, c))
                                + Math.abs(number("query", i, c) * number("t.key", j, c));
                    }
                    largest = Math.max(largest, spec.scale(D) * sum);
                }
            }
            return largest;
        }

        /** What the gradient of a score is multiplied by on its way to a result. */
        private double factor(String name) {
            String other = name.equals("t.key") ? "query" : name.equals("t.query") ? "key" : "";
            return Arrays.stream(numbers.getOrDefault(other, new double[0]))
                    .map(Math::abs)
                    .max()
                    .orElse(1);
        }

        private double number(String name, int row, int column) {
            return numbers.get(name)[row * D + column];
        }

        Map<String, double[]> run(Backend on, DType type, boolean derivatives) {
            DType wide = type == DType.F64 ? DType.F64 : DType.F32;
            Map<String, double[]> results = new LinkedHashMap<>();
            try (Scope scope = on.memory().openScope()) {
                Map<String, DeviceArray> in = new LinkedHashMap<>();
                numbers.forEach((name, x) -> in.put(name, upload(on, scope, isWide(name) ? wide : type, x)));
                AttentionCall<DeviceArray> call = AttentionCall.of(
                                shape, spec, in.get("query"), in.get("key"), in.get("value"))
                        .withBias(
                                bias.length == 0
                                        ? null
                                        : new ScoreBias<>(upload(on, scope, wide, bias), 1, 1, queries, keys))
                        .withSink(hasSink() ? upload(on, scope, wide, sink) : null)
                        .withMask(AttentionMask.<DeviceArray>none()
                                .withKeyLengths(length < 0 ? null : lengths(on, scope)));
                Map<String, DeviceArray> out = new LinkedHashMap<>();
                for (String prefix : new String[] {"", "t."}) {
                    out.put(prefix + "output", scope.allocate(type, queries * DV));
                    out.put(prefix + "logSumExp", scope.allocate(wide, queries));
                    for (String name : new String[] {"query", "key", "value", "bias", "sink"}) {
                        int size = numbers.get(name).length;
                        if (name.equals("bias") ? bias.length > 0 : !name.equals("sink") || hasSink()) {
                            out.put(prefix + name, scope.allocate(isWide(name) ? wide : type, size));
                        }
                    }
                }
                out.put("weights", scope.allocate(wide, queries * keys));
                AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(out.get("output"), out.get("logSumExp"))
                        .withState(on.attention(), call, scope::allocate);
                on.attention().forward(call, outputs);
                if (!derivatives) {
                    return Map.of("output", download(on, out.get("output")));
                }
                AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(in.get("dOutput"), in.get("dLogSumExp"));
                AttentionPlane<DeviceArray> given = arguments(in, "t.");
                AttentionPlane<DeviceArray> outputTangents =
                        AttentionPlane.outputs(out.get("t.output"), out.get("t.logSumExp"));
                on.attention().backward(call, outputs, dOutputs, arguments(out, ""));
                on.attention()
                        .backwardTangent(
                                call,
                                outputs,
                                dOutputs,
                                given.withOutputs(in.get("t.dOutput"), in.get("t.dLogSumExp")),
                                arguments(out, "t.").withOutputs(outputTangents.output(), outputTangents.logSumExp()));
                on.attention().weights(call, outputs, ScoreStage.SOFTMAX, 0, out.get("weights"));
                out.forEach((name, array) -> results.put(name, download(on, array)));
                for (String name : new String[] {"t.output", "t.logSumExp"}) {
                    on.memory().fill(out.get(name), Double.NaN);
                }
                on.attention().tangent(call, outputs, given, outputTangents);
                for (String name : new String[] {"t.output", "t.logSumExp"}) {
                    results.put(name + " alone", download(on, out.get(name)));
                }
            }
            return results;
        }

        private DeviceArray lengths(Backend on, Scope scope) {
            DeviceArray array = scope.allocate(DType.I32, 1);
            on.memory().upload(new int[] {length}, 0, array);
            return array;
        }

        private AttentionPlane<DeviceArray> arguments(Map<String, DeviceArray> x, String prefix) {
            return AttentionPlane.inputs(
                    x.get(prefix + "query"),
                    x.get(prefix + "key"),
                    x.get(prefix + "value"),
                    bias.length == 0 ? null : x.get(prefix + "bias"),
                    hasSink() ? x.get(prefix + "sink") : null);
        }
    }

    private static boolean isWide(String name) {
        return name.endsWith("bias") || name.endsWith("sink") || name.endsWith("LogSumExp");
    }

    private static DeviceArray upload(Backend on, Scope scope, DType type, double... values) {
        DeviceArray array = scope.allocate(type, values.length);
        on.memory().upload(values, 0, array);
        return array;
    }

    private static double[] download(Backend on, DeviceArray array) {
        double[] values = new double[(int) array.length()];
        on.memory().download(array, values, 0);
        return values;
    }
}
