// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Means of numbers near the largest of a type are finite, though their sums aren't. */
interface LargestValueContract extends ContractFixture {
    int KEYS = 70;
    int DIM = 8;

    /** One head, as many queries as keys. */
    AttentionShape SHAPE = new AttentionShape(1, 1, KEYS, KEYS, DIM, DIM, AttentionShape.Layout.BHND);

    /** By dot products, and of what only the series of some backends computes. */
    List<AttentionSpec> SPECS =
            List.of(AttentionSpec.DEFAULT, AttentionSpec.DEFAULT.withSoftcap(3).withSimilarity(Similarity.COSINE));

    /** Columns of one number each, the mean of which is that number, near the largest or the smallest. */
    private static double[] values(DType type) {
        double largest = switch (type) {
            case F64 -> Double.MAX_VALUE;
            case F16 -> 65504;
            default -> Float.MAX_VALUE;
        };
        double[] values = new double[KEYS * DIM];
        Arrays.setAll(values, i -> (i % 2 == 0 ? 0.9 : -0.8) * largest);
        return values;
    }

    private static void check(Pair.Both means, DType type) {
        double[] expected = Arrays.copyOf(values(type), means.expected().length);
        double unit = type == DType.F64 ? 0x1p-48 : type == DType.F32 ? 0x1p-18 : type == DType.F16 ? 0x1p-9 : 0x1p-6;
        for (double[] found : List.of(means.expected(), means.actual())) {
            for (int i = 0; i < found.length; i++) {
                assertThat(found[i] / expected[i]).isCloseTo(1, within(unit));
            }
        }
    }

    private static Pair.Both normal(Pair p, DType type, int seed) {
        return p.floats(type, Pair.normal(KEYS * DIM, seed));
    }

    private static Pair.Both zeros(Pair p, DType type) {
        return p.floats(type, new double[KEYS * DIM]);
    }

    /** A forward, and what follows from it. */
    private static void afterForward(
            Pair p, AttentionSpec spec, AttentionPlane<Pair.Both> inputs, DType type, Derivative derivative) {
        Pair.Both output = p.output(type, KEYS * DIM);
        Pair.Both logSumExp = p.output(type == DType.F64 ? type : DType.F32, KEYS);
        p.run(b -> {
            try (Scope scope = b.memory().openScope()) {
                AttentionCall<DeviceArray> call = AttentionCall.of(
                        SHAPE,
                        spec,
                        inputs.query().on(b),
                        inputs.key().on(b),
                        inputs.value().on(b));
                AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(output.on(b), logSumExp.on(b))
                        .withState(b.attention(), call, scope::allocate);
                b.attention().forward(call, out);
                derivative.run(b, call, out);
            }
        });
    }

    interface Derivative {
        void run(Backend b, AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out);
    }

    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F64", "F32", "BF16", "F16"})
    default void outputs(DType type) {
        for (AttentionSpec spec : SPECS) {
            try (Pair p = pair()) {
                Pair.Both output = p.output(type, KEYS * DIM);
                Pair.Both logSumExp = p.output(type == DType.F64 ? type : DType.F32, KEYS);
                Pair.Both query = normal(p, type, 1);
                Pair.Both key = normal(p, type, 2);
                Pair.Both value = p.floats(type, values(type));
                p.run(b -> b.attention()
                        .forward(
                                AttentionCall.of(SHAPE, spec, query.on(b), key.on(b), value.on(b)),
                                new AttentionOutputs<>(output.on(b), logSumExp.on(b))));
                check(output, type);
            }
        }
    }

    /** In a ring buffer that begins in the middle. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F64", "F32", "BF16", "F16"})
    default void decoded(DType type) {
        for (AttentionSpec spec : SPECS) {
            try (Pair p = pair()) {
                Pair.Both query = p.floats(type, Pair.normal(DIM, 1));
                Pair.Both output = p.output(type, DIM);
                DecodeCall<Pair.Both> call = new DecodeCall<>(
                        new DecodeShape(1, 1, KEYS, DIM, DIM),
                        spec,
                        query,
                        normal(p, type, 2),
                        p.floats(type, values(type)),
                        p.ints(KEYS),
                        p.ints(KEYS / 2));
                p.run(b -> b.attention().decode(call.map(x -> x.on(b)), output.on(b)));
                check(output, type);
            }
        }
    }

    /** Of values of 0 that grow by such numbers, by hand and as a series. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F64", "F32", "BF16", "F16"})
    default void tangents(DType type) {
        for (AttentionSpec spec : SPECS) {
            try (Pair p = pair()) {
                AttentionPlane<Pair.Both> inputs =
                        AttentionPlane.inputs(normal(p, type, 1), normal(p, type, 2), zeros(p, type));
                AttentionPlane<Pair.Both> tangents =
                        AttentionPlane.inputs(zeros(p, type), zeros(p, type), p.floats(type, values(type)));
                Pair.Both byHand = p.output(type, KEYS * DIM);
                Pair.Both bySeries = p.output(type, KEYS * DIM);
                Pair.Both ofLogSumExp = p.output(type == DType.F64 ? type : DType.F32, KEYS);
                afterForward(p, spec, inputs, type, (b, call, out) -> {
                    AttentionPlane<DeviceArray> by = tangents.map(x -> x.on(b));
                    b.attention().tangent(call, out, by, AttentionPlane.outputs(byHand.on(b), ofLogSumExp.on(b)));
                    b.attention()
                            .series(
                                    call,
                                    SeriesRing.taylor(1),
                                    List.of(AttentionPlane.none(), by),
                                    List.of(AttentionPlane.none(), AttentionPlane.outputs(bySeries.on(b), null)));
                });
                check(byHand, type);
                check(bySeries, type);
            }
        }
    }

    /** With the same weights for all, a value's gradient is the mean of the outputs'. */
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F64", "F32", "BF16", "F16"})
    default void gradientsOfValues(DType type) {
        for (AttentionSpec spec : SPECS) {
            try (Pair p = pair()) {
                AttentionPlane<Pair.Both> zeros = AttentionPlane.inputs(zeros(p, type), zeros(p, type), zeros(p, type));
                Pair.Both given = p.floats(type, values(type));
                Pair.Both dQuery = p.output(type, KEYS * DIM);
                Pair.Both dKey = p.output(type, KEYS * DIM);
                Pair.Both dValue = p.output(type, KEYS * DIM);
                afterForward(
                        p,
                        spec,
                        zeros,
                        type,
                        (b, call, out) -> b.attention()
                                .backward(
                                        call,
                                        out,
                                        AttentionPlane.outputs(given.on(b), null),
                                        AttentionPlane.inputs(dQuery.on(b), dKey.on(b), dValue.on(b))));
                check(dValue, type);
            }
        }
    }
}
