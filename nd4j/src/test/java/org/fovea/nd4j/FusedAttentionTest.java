// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

final class FusedAttentionTest {
    private static final int BATCH = 2;
    private static final int HEADS = 4;
    private static final int QUERIES = 3;
    private static final int KEYS = 5;
    private static final int DIM = 6;
    private static final int VALUE_DIM = 7;

    private static AttentionCall<INDArray> call(DataType type, Arrays4 way, int keyHeads, AttentionSpec spec) {
        return FusedAttention.call(
                way.normal(type, 1, BATCH, HEADS, QUERIES, DIM),
                way.normal(type, 2, BATCH, keyHeads, KEYS, DIM),
                way.normal(type, 3, BATCH, keyHeads, KEYS, VALUE_DIM),
                spec);
    }

    private static double tolerance(DataType type) {
        return switch (type) {
            case DOUBLE -> 1e-12;
            case FLOAT -> 5e-6;
            case HALF -> 0x1p-9;
            default -> 0x1p-6;
        };
    }

    private static void compare(AttentionCall<INDArray> call, AttentionPlane<INDArray> outputs, double tolerance) {
        NaiveAttention naive = new NaiveAttention(call);
        for (int b = 0; b < call.shape().batch(); b++) {
            for (int h = 0; h < call.shape().heads(); h++) {
                for (int i = 0; i < call.shape().queries(); i++) {
                    double lse = naive.logSumExp[b][h][i];
                    INDArray found = outputs.logSumExp();
                    if (found != null) {
                        double own = found.rank() == 2 ? found.getDouble(b, i) : found.getDouble(b, h, i);
                        assertThat(own)
                                .as("logSumExp %d %d %d", b, h, i)
                                .satisfies(x -> assertThat(x.equals(lse)
                                                || Math.abs(x - lse)
                                                        <= Math.max(tolerance, 5e-6 * (tolerance > 1e-10 ? 1 : 0)))
                                        .as("%s beside %s", x, lse)
                                        .isTrue());
                    }
                    for (int d = 0; d < call.shape().valueDim(); d++) {
                        assertThat(NaiveAttention.number(
                                        outputs.output(), call.shape().layout(), b, h, i, d))
                                .as("output %d %d %d %d", b, h, i, d)
                                .isCloseTo(naive.output[b][h][i][d], within(tolerance * 4));
                    }
                }
            }
        }
    }

    static Stream<Arguments> typesAndWays() {
        return Stream.of(DataType.FLOAT, DataType.DOUBLE, DataType.HALF, DataType.BFLOAT16)
                .flatMap(type -> Stream.of(Arrays4.values()).map(way -> Arguments.of(type, way)));
    }

    @ParameterizedTest
    @MethodSource("typesAndWays")
    void forwardReadsArraysOfEveryTypeAndOrder(DataType type, Arrays4 way) {
        AttentionCall<INDArray> call = call(type, way, 2, AttentionSpec.DEFAULT);
        AttentionPlane<INDArray> outputs = FusedAttention.forward(call);
        assertThat(outputs.output().dataType()).isEqualTo(type);
        assertThat(outputs.output().shape()).containsExactly(BATCH, HEADS, QUERIES, VALUE_DIM);
        compare(call, outputs, tolerance(type));
    }

    @ParameterizedTest
    @MethodSource("typesAndWays")
    void resultsGoToGivenArraysOfEveryOrderAndNowhereElse(DataType type, Arrays4 way) {
        AttentionCall<INDArray> call = call(type, Arrays4.C, 2, AttentionSpec.DEFAULT);
        INDArray output = way.empty(type, new long[] {BATCH, HEADS, QUERIES, VALUE_DIM});
        long end = output.offset() + 3;
        for (int axis = 0; axis < 4; axis++) {
            end += (output.size(axis) - 1) * output.stride(axis);
        }
        INDArray around = Nd4j.createUninitialized(type, end).assign(77);
        INDArray target =
                Nd4j.create(around.data(), output.shape(), output.stride(), output.offset(), output.ordering());
        AttentionEngine.shared().forward(call, AttentionPlane.outputs(target, null));
        compare(call, AttentionPlane.outputs(target, null), tolerance(type));
        long touched = 0;
        for (long i = 0; i < around.length(); i++) {
            touched += around.getDouble(i) == 77 ? 0 : 1;
        }
        assertThat(touched).isEqualTo(target.length());
    }

    /** Every option, by name. */
    private static Map<String, UnaryOperator<AttentionCall<INDArray>>> options(DataType wide) {
        Map<String, UnaryOperator<AttentionCall<INDArray>>> options = new LinkedHashMap<>();
        INDArray bias = Arrays4.F.normal(wide, 11, 1, HEADS, QUERIES, KEYS);
        INDArray scores = Arrays4.C.normal(wide, 12, BATCH, 1, QUERIES, KEYS);
        INDArray relative = Nd4j.create(wide, 1, HEADS, 5);
        relative.assign(Arrays4.C.normal(wide, 13, 1, 1, HEADS, 5).reshape(1, HEADS, 5));
        INDArray sink = Nd4j.createFromArray(0.5, -1, 2, 0).castTo(wide);
        INDArray slopes = Nd4j.createFromArray(0.5, 0.25, 0.1, 1).castTo(wide);
        options.put("bias", call -> call.withBias(FusedAttention.bias(bias)));
        options.put("relative bias", call -> call.withBias(FusedAttention.relativeBias(relative)));
        options.put("sink", call -> call.withSink(sink));
        options.put(
                "mask", call -> call.withMask(AttentionMask.<INDArray>none().withScores(FusedAttention.bias(scores))));
        options.put(
                "alibi", call -> call.withMask(AttentionMask.<INDArray>none().withAlibi(slopes)));
        options.put(
                "segments",
                call -> call.withMask(AttentionMask.segments(
                        Nd4j.createFromArray(new int[][] {{0, 1, 1}, {2, 2, 9}}),
                        Nd4j.createFromArray(new int[][] {{0, 0, 1, 1, 1}, {2, 3, 2, 2, 2}}))));
        options.put("lengths", call -> call.withMask(AttentionMask.keyLengths(Nd4j.createFromArray(5, 2))));
        options.put(
                "visible",
                call -> call.withMask(AttentionMask.<INDArray>none()
                        .withScores(FusedAttention.visible(
                                Nd4j.createFromArray(new boolean[][][][] {{{{true, false, true, true, false}}}}),
                                wide))));
        return options;
    }

    private static List<AttentionSpec> specs() {
        AttentionSpec spec = AttentionSpec.DEFAULT;
        return List.of(
                spec,
                spec.withCausal(Alignment.TOP_LEFT),
                spec.withCausal(Alignment.BOTTOM_RIGHT),
                spec.withWindow(1, 1).withPastKeys(2),
                spec.withScale(-0.4).withSoftcap(1.5),
                spec.withSimilarity(Similarity.COSINE).withScale(3),
                spec.withSimilarity(Similarity.EUCLIDEAN),
                spec.withDropout(0.3, 42));
    }

    @ParameterizedTest
    @EnumSource(
            value = DataType.class,
            names = {"FLOAT", "DOUBLE", "BFLOAT16", "HALF"})
    void everyOptionReachesTheDevice(DataType type) {
        DataType wide = type == DataType.DOUBLE ? type : DataType.FLOAT;
        for (AttentionSpec spec : specs()) {
            compareForward(call(type, Arrays4.PERMUTED, 1, spec));
        }
        options(wide).forEach((name, option) -> {
            AttentionCall<INDArray> call = option.apply(call(type, Arrays4.C, 4, AttentionSpec.DEFAULT));
            compareForward(call);
        });
    }

    private static void compareForward(AttentionCall<INDArray> call) {
        compare(call, FusedAttention.forward(call), tolerance(call.query().dataType()));
    }

    @Test
    void packedSequencesAndTheOtherLayout() {
        DataType type = DataType.FLOAT;
        AttentionCall<INDArray> call = FusedAttention.call(
                        Arrays4.C.normal(type, 1, 1, 7, 2, DIM),
                        Arrays4.VIEW.normal(type, 2, 1, 9, 2, DIM),
                        Arrays4.F.normal(type, 3, 1, 9, 2, DIM),
                        AttentionSpec.DEFAULT,
                        Layout.BNHD)
                .withMask(AttentionMask.packed(Nd4j.createFromArray(0, 3, 7), Nd4j.createFromArray(0, 4, 9)));
        compareForward(call);
    }

    @Test
    void aSingleHeadNeedsNoAxis() {
        INDArray q = Arrays4.C.normal(DataType.FLOAT, 1, 1, BATCH, QUERIES, DIM).reshape(BATCH, QUERIES, DIM);
        INDArray k = Arrays4.C.normal(DataType.FLOAT, 2, 1, BATCH, KEYS, DIM).reshape(BATCH, KEYS, DIM);
        for (Layout layout : Layout.values()) {
            AttentionCall<INDArray> call = FusedAttention.call(q, k, k, AttentionSpec.DEFAULT, layout);
            AttentionPlane<INDArray> outputs = FusedAttention.forward(call);
            assertThat(outputs.output().shape()).containsExactly(BATCH, QUERIES, DIM);
            assertThat(outputs.logSumExp().shape()).containsExactly(BATCH, QUERIES);
            compare(call, outputs, tolerance(DataType.FLOAT));
            assertThat(FusedAttention.backward(call, AttentionPlane.outputs(q, null))
                            .key()
                            .shape())
                    .containsExactly(BATCH, KEYS, DIM);
        }
    }

    /** Strides of 0: the same numbers for every head and batch row. */
    @Test
    void aBroadcastArrayIsReadInPlace() {
        INDArray one = Arrays4.C.normal(DataType.FLOAT, 2, 1, 1, KEYS, DIM);
        INDArray key = Nd4j.create(one.data(), new long[] {BATCH, HEADS, KEYS, DIM}, new long[] {0, 0, DIM, 1}, 0, 'c');
        AttentionCall<INDArray> call = FusedAttention.call(
                Arrays4.C.normal(DataType.FLOAT, 1, BATCH, HEADS, QUERIES, DIM), key, key, AttentionSpec.DEFAULT);
        compareForward(call);
    }

    @Test
    void nothingIsAlsoAnAttention() {
        INDArray q = Nd4j.create(DataType.FLOAT, 2, 1, 0, 4);
        INDArray k = Nd4j.rand(DataType.FLOAT, 2, 1, 3, 4);
        assertThat(FusedAttention.forward(q, k, k).shape()).containsExactly(2, 1, 0, 4);
    }

    @Test
    void itAgreesWithNd4jsOwn() {
        INDArray q = Nd4j.rand(DataType.FLOAT, 2, 8, 5);
        INDArray k = Nd4j.rand(DataType.FLOAT, 2, 8, 6);
        INDArray v = Nd4j.rand(DataType.FLOAT, 2, 8, 6);
        INDArray own = Nd4j.nn.dotProductAttention(q, k, v, null, true);
        INDArray fused = FusedAttention.forward(q.permute(0, 2, 1), k.permute(0, 2, 1), v.permute(0, 2, 1));
        assertThat(fused.permute(0, 2, 1).dup('c').data().asFloat())
                .usingComparatorWithPrecision(1e-5f)
                .containsExactly(own.dup('c').data().asFloat());
    }

    // Derivatives. Those of the outputs are differences of the plain loops, those of the gradient differences of it.

    private static final double STEP = 1e-5;

    static Stream<Arguments> differentiated() {
        List<Arguments> cases = new ArrayList<>();
        specs().forEach(spec -> cases.add(Arguments.of(spec.toString(), "none", spec)));
        options(DataType.DOUBLE).keySet().forEach(name -> cases.add(Arguments.of(name, name, AttentionSpec.DEFAULT)));
        return cases.stream();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("differentiated")
    void derivativesAreThoseOfPlainLoops(String name, String option, AttentionSpec spec) {
        AttentionCall<INDArray> plain = call(DataType.DOUBLE, Arrays4.VIEW, 2, spec);
        AttentionCall<INDArray> call = options(DataType.DOUBLE)
                .getOrDefault(option, UnaryOperator.identity())
                .apply(plain);
        AttentionPlane<INDArray> dOutputs = AttentionPlane.outputs(
                Arrays4.F.normal(DataType.DOUBLE, 21, BATCH, HEADS, QUERIES, VALUE_DIM),
                Arrays4.C.normal(DataType.DOUBLE, 22, 1, BATCH, HEADS, QUERIES).reshape(BATCH, HEADS, QUERIES));
        AttentionPlane<INDArray> tangents = call.inputs().map(x -> Nd4j.randn(DataType.DOUBLE, x.shape()));
        AttentionPlane<INDArray> gradients = FusedAttention.backward(call, dOutputs);
        AttentionPlane<INDArray> jvp = FusedAttention.jvp(call, tangents);
        double along = inner(gradients, tangents);
        double expected = difference(call, tangents, moved -> phi(moved, dOutputs));
        assertThat(along).isCloseTo(expected, within(1e-6 * (1 + Math.abs(expected))));
        assertThat(inner(jvp, dOutputs)).isCloseTo(expected, within(1e-6 * (1 + Math.abs(expected))));

        // One number of every input by itself, so that none is another's.
        for (int part = 0; part < 5; part++) {
            INDArray gradient = gradients.parts().get(part);
            if (gradient != null) {
                AttentionPlane<INDArray> unit = unit(call.inputs(), part);
                double number = inner(gradients, unit);
                assertThat(number)
                        .as("part %d", part)
                        .isCloseTo(difference(call, unit, moved -> phi(moved, dOutputs)), within(1e-6));
            }
        }

        AttentionPlane<INDArray> second = FusedAttention.doubleBackward(call, dOutputs, tangents);
        AttentionPlane<INDArray> other = call.inputs().map(x -> Nd4j.randn(DataType.DOUBLE, x.shape()));
        double curvature = difference(call, tangents, moved -> inner(FusedAttention.backward(moved, dOutputs), other));
        assertThat(inner(second.ofInputs(), other)).isCloseTo(curvature, within(1e-5 * (1 + Math.abs(curvature))));
        assertThat(inner(second.ofOutputs(), dOutputs)).isCloseTo(expected, within(1e-6 * (1 + Math.abs(expected))));
    }

    private static AttentionPlane<INDArray> unit(AttentionPlane<INDArray> inputs, int part) {
        AttentionPlane<INDArray> zeros = inputs.map(x -> Nd4j.zeros(DataType.DOUBLE, x.shape()));
        INDArray chosen = zeros.parts().get(part);
        chosen.putScalar(chosen.length() / 2, 1);
        return zeros;
    }

    private interface Scalar {
        double of(AttentionCall<INDArray> call);
    }

    private static double difference(AttentionCall<INDArray> call, AttentionPlane<INDArray> along, Scalar f) {
        return (f.of(moved(call, along, STEP)) - f.of(moved(call, along, -STEP))) / (2 * STEP);
    }

    private static AttentionCall<INDArray> moved(
            AttentionCall<INDArray> call, AttentionPlane<INDArray> along, double by) {
        Map<String, INDArray> steps = new LinkedHashMap<>();
        along.mapNamed((name, array) -> steps.put(name, array.mul(by)));
        return call.mapNamed((name, array) -> steps.containsKey(name) ? array.add(steps.get(name)) : array);
    }

    private static double phi(AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs) {
        NaiveAttention naive = new NaiveAttention(call);
        double sum = 0;
        for (int b = 0; b < BATCH; b++) {
            for (int h = 0; h < HEADS; h++) {
                for (int i = 0; i < QUERIES; i++) {
                    double lse = naive.logSumExp[b][h][i];
                    sum += Double.isInfinite(lse)
                            ? 0
                            : lse * dOutputs.logSumExp().getDouble(b, h, i);
                    for (int d = 0; d < VALUE_DIM; d++) {
                        sum += naive.output[b][h][i][d] * dOutputs.output().getDouble(b, h, i, d);
                    }
                }
            }
        }
        return sum;
    }

    private static double inner(AttentionPlane<INDArray> x, AttentionPlane<INDArray> y) {
        double sum = 0;
        for (int part = 0; part < x.parts().size(); part++) {
            if (x.parts().get(part) != null && y.parts().get(part) != null) {
                sum += x.parts().get(part).mul(y.parts().get(part)).sumNumber().doubleValue();
            }
        }
        return sum;
    }

    @ParameterizedTest
    @EnumSource(Arrays4.class)
    void derivativesGoToGivenViews(Arrays4 way) {
        AttentionCall<INDArray> call = call(DataType.FLOAT, Arrays4.C, 4, AttentionSpec.DEFAULT);
        INDArray dOutput = Arrays4.VIEW.normal(DataType.FLOAT, 9, BATCH, HEADS, QUERIES, VALUE_DIM);
        AttentionPlane<INDArray> expected = FusedAttention.backward(call, AttentionPlane.outputs(dOutput, null));
        AttentionPlane<INDArray> given = expected.map(x -> way.empty(DataType.FLOAT, x.shape()));
        try (AttentionPass pass = AttentionEngine.shared().pass(call)) {
            pass.backward(AttentionPlane.outputs(dOutput, null), given);
            assertThat(given.query()).isEqualTo(expected.query());
            assertThat(given.key()).isEqualTo(expected.key());
            assertThat(given.value()).isEqualTo(expected.value());
            INDArray onlyKey = way.empty(DataType.FLOAT, expected.key().shape());
            pass.backward(AttentionPlane.outputs(dOutput, null), AttentionPlane.inputs(null, onlyKey, null));
            assertThat(onlyKey).isEqualTo(expected.key());
            AttentionPlane<INDArray> second = pass.doubleBackward(AttentionPlane.outputs(dOutput, null), given);
            AttentionPlane<INDArray> intoViews = AttentionPlane.<INDArray>inputs(
                            way.empty(DataType.FLOAT, expected.query().shape()), null, null)
                    .withOutputs(way.empty(DataType.FLOAT, dOutput.shape()), null);
            pass.doubleBackward(AttentionPlane.outputs(dOutput, null), given, intoViews);
            assertThat(intoViews.query()).isEqualTo(second.query());
            assertThat(intoViews.output()).isEqualTo(second.output());
            assertThat(pass.outputs().output())
                    .isEqualTo(FusedAttention.forward(call).output());
        }
    }

    /** The output may be where the query was: everything is read before anything is written. */
    @Test
    void inPlace() {
        INDArray q = Arrays4.C.normal(DataType.FLOAT, 1, BATCH, HEADS, KEYS, DIM);
        INDArray k = Arrays4.C.normal(DataType.FLOAT, 2, BATCH, HEADS, KEYS, DIM);
        INDArray expected = FusedAttention.forward(q, k, k);
        AttentionEngine.shared()
                .forward(FusedAttention.call(q, k, k, AttentionSpec.DEFAULT), AttentionPlane.outputs(q, null));
        assertThat(q).isEqualTo(expected);
    }
}
