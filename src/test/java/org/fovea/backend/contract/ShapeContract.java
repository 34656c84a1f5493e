// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.DecodeCall;
import org.fovea.backend.attention.DecodeShape;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;
import org.fovea.backend.rl.Trajectories;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Arguments that do not fit are refused by an error that names the operation and prints both shapes. */
interface ShapeContract extends ContractFixture {

    private static @Nullable Throwable thrownBy(ThrowingCallable call) {
        Throwable thrown = catchThrowable(call);
        if (thrown instanceof UnsupportedOnBackendException unsupported) {
            throw unsupported;
        }
        return thrown;
    }

    /** Requires a {@link ShapeException} of {@code operation} whose message contains the two numbers. */
    private static void refused(String operation, int given, int expected, ThrowingCallable call) {
        assertThat(thrownBy(call))
                .as(operation)
                .isInstanceOf(ShapeException.class)
                .hasMessageStartingWith(operation + ":")
                .hasMessageContaining(Integer.toString(given))
                .hasMessageContaining(Integer.toString(expected));
    }

    /** Arrays of 11, 12, 13, 20, 33, 55 elements and so on, by their lengths. */
    private DeviceArray of(Scope scope, int length) {
        return scope.allocate(tested().memory().floatType(), length);
    }

    @Test
    default void primitivesRefuseOtherShapes() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            int[] shape = {3, 5};
            int[] dense = {5, 1};
            DeviceArray index = s.allocate(DType.I32, 4);
            refused("copy", 11, 12, () -> b.memory().copy(of(s, 11), of(s, 12)));
            refused("map", 11, 12, () -> b.math().map(UnaryOp.EXP, of(s, 11), of(s, 12)));
            refused(
                    "zip",
                    11,
                    14,
                    () -> b.math().zip(BinaryOp.ADD, shape, of(s, 11), dense, of(s, 15), dense, of(s, 15)));
            refused(
                    "zip",
                    11,
                    15,
                    () -> b.math().zip(BinaryOp.ADD, shape, of(s, 15), dense, of(s, 15), dense, of(s, 11)));
            refused("select", 11, 12, () -> b.math().select(of(s, 11), of(s, 12), of(s, 12), of(s, 12)));
            refused("reduce", 11, 30, () -> b.math().reduce(ReduceOp.SUM, 2, 3, 5, of(s, 11), of(s, 10)));
            refused("reduce", 11, 10, () -> b.math().reduce(ReduceOp.SUM, 2, 3, 5, of(s, 30), of(s, 11)));
            refused("arrange", 11, 14, () -> b.math().arrange(shape, of(s, 11), dense, of(s, 15), dense));
            refused("arrange", 11, 14, () -> b.math().arrange(shape, of(s, 15), dense, of(s, 11), dense));
            refused("arrange", 15, -8, () -> b.math().arrange(shape, of(s, 15), new int[] {5, -2}, of(s, 15), dense));
            refused("accumulate", 11, 14, () -> b.math().accumulate(shape, of(s, 11), dense, of(s, 15), dense));
            refused(
                    "gatherRows",
                    11,
                    12,
                    () -> b.math().gatherRows(index, List.of(new TableRows(of(s, 30), 3, of(s, 11)))));
            Gemm g = Gemm.dense(false, false, 2, 3, 5);
            refused("gemm", 11, 15, () -> b.math().gemm(g, of(s, 10), of(s, 11), of(s, 6)));
            refused("gemm", 9, 10, () -> b.math().gemm(g, of(s, 9), of(s, 15), of(s, 6)));
            refused("gemm", 5, 6, () -> b.math().gemm(g, of(s, 10), of(s, 15), of(s, 5)));
            refused("gatherRows", 11, 12, () -> b.math().gatherRows(of(s, 30), 3, index, of(s, 11)));
            refused("gatherRows", 31, 3, () -> b.math().gatherRows(of(s, 31), 3, index, of(s, 12)));
            refused("scatterAddRows", 11, 12, () -> b.math().scatterAddRows(of(s, 11), 3, index, of(s, 30)));
        }
    }

    @Test
    default void integersAndFloatsAreNotMixedUp() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            DeviceArray integers = s.allocate(DType.I32, 4);
            DeviceArray floats = of(s, 4);
            assertThat(thrownBy(() -> b.math().map(UnaryOp.EXP, integers, floats)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(thrownBy(() -> b.memory().copy(integers, floats))).isInstanceOf(IllegalArgumentException.class);
            assertThat(thrownBy(() -> b.math().gatherRows(floats, 1, floats, of(s, 4))))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(thrownBy(() -> b.math().uniform(new RandomRange(7, 100, 2, floats.slice(0, 1)), of(s, 4))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("counter");
        }
    }

    @Test
    default void rowOperationsRefuseOtherShapes() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            refused(
                    "linear",
                    11,
                    15,
                    () -> b.math().linear(2, 3, 5, of(s, 6), of(s, 11), null, Activation.NONE, of(s, 10)));
            refused(
                    "linear",
                    4,
                    5,
                    () -> b.math().linear(2, 3, 5, of(s, 6), of(s, 15), of(s, 4), Activation.NONE, of(s, 10)));
            refused("softmax", 11, 6, () -> b.math().softmax(2, 3, of(s, 11), of(s, 6)));
            refused("logSoftmax", 11, 6, () -> b.math().logSoftmax(2, 3, of(s, 6), of(s, 11)));
            refused(
                    "linearBackward",
                    9,
                    10,
                    () -> b.math()
                            .linearBackward(new LinearGradients<>(
                                    2,
                                    3,
                                    5,
                                    Activation.NONE,
                                    of(s, 6),
                                    of(s, 15),
                                    of(s, 9),
                                    null,
                                    of(s, 6),
                                    of(s, 15),
                                    of(s, 5))));
            refused("layerNorm", 4, 3, () -> b.math().layerNorm(layerNormArgs(s, 4), 1e-5f, of(s, 3), of(s, 6)));
            refused(
                    "layerNormBackward",
                    7,
                    6,
                    () -> b.math().layerNormBackward(layerNormArgs(s, 3), of(s, 7), of(s, 6), of(s, 3), of(s, 3)));
            DeviceArray positions = s.allocate(DType.I32, 2);
            refused("rotary", 11, 24, () -> b.math().rotary(2, 3, 4, 10000, 1, of(s, 24), positions, of(s, 11)));
            refused("rotary", 5, 5, () -> b.math().rotary(2, 3, 5, 10000, 1, of(s, 30), positions, of(s, 30)));
            refused("standardize", 11, 12, () -> b.math().standardize(0, of(s, 11), of(s, 12)));
        }
    }

    @Test
    default void attentionRefusesOtherShapes() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            AttentionShape shape = new AttentionShape(2, 1, 3, 5, 4, 6, AttentionShape.Layout.BHND);
            AttentionSpec spec = AttentionSpec.DEFAULT;
            AttentionCall<DeviceArray> bad = AttentionCall.of(shape, spec, of(s, 24), of(s, 41), of(s, 60));
            AttentionCall<DeviceArray> good = AttentionCall.of(shape, spec, of(s, 24), of(s, 40), of(s, 60));
            refused("attention", 41, 40, () -> b.attention().forward(bad, new AttentionOutputs<>(of(s, 36), of(s, 6))));
            refused(
                    "attention.forward",
                    37,
                    36,
                    () -> b.attention().forward(good, new AttentionOutputs<>(of(s, 37), of(s, 6))));
            refused(
                    "attention.forward",
                    7,
                    6,
                    () -> b.attention().forward(good, new AttentionOutputs<>(of(s, 36), of(s, 7))));
            refused(
                    "attention.backward",
                    39,
                    40,
                    () -> b.attention()
                            .backward(
                                    good,
                                    new AttentionOutputs<>(of(s, 36), of(s, 6))
                                            .withState(b.attention(), good, s::allocate),
                                    AttentionPlane.outputs(of(s, 36), null),
                                    AttentionPlane.inputs(of(s, 24), of(s, 39), of(s, 60))));
            int size = (int) b.attention().stateSize(good);
            refused(
                    "attention.forward",
                    size + 1,
                    size,
                    () -> b.attention().forward(good, new AttentionOutputs<>(of(s, 36), of(s, 6), of(s, size + 1))));
            DeviceArray counts = s.allocate(DType.I32, 2);
            DecodeShape decode = new DecodeShape(2, 1, 5, 4, 6);
            refused(
                    "attention.decode",
                    41,
                    40,
                    () -> b.attention()
                            .decode(
                                    new DecodeCall<>(decode, spec, of(s, 8), of(s, 41), of(s, 60), counts, counts),
                                    of(s, 12)));
        }
    }

    @Test
    default void reinforcementLearningRefusesOtherShapes() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            DeviceArray actions = s.allocate(DType.I32, 2);
            refused(
                    "sampleCategorical",
                    7,
                    6,
                    () -> b.rl().sampleCategorical(2, 3, of(s, 7), new RandomRange(0, 0, 0), actions, of(s, 2)));
            refused("argmax", 7, 6, () -> b.rl().argmax(2, 3, of(s, 7), actions));
            refused(
                    "sampleGaussian",
                    4,
                    3,
                    () -> b.rl().sampleGaussian(
                                    2, 3, of(s, 6), of(s, 4), new RandomRange(0, 0, 0), of(s, 6), of(s, 2)));
            Trajectories<DeviceArray> trajectories = new Trajectories<>(2, 3, of(s, 6), of(s, 6), of(s, 7), of(s, 6));
            refused("advantages", 7, 6, () -> b.rl().advantages(trajectories, 1, 1, of(s, 6), of(s, 6)));
            PpoLoss loss = new PpoLoss(0, 1, 0, 1);
            refused(
                    "ppoCategorical",
                    5,
                    6,
                    () -> b.rl().ppoCategorical(
                                    loss, played(s, actions), 1, 3, of(s, 6), of(s, 2), of(s, 6), of(s, 2), of(s, 5)));
            refused(
                    "ppoGaussian",
                    4,
                    3,
                    () -> b.rl().ppoGaussian(
                                    loss,
                                    played(s, of(s, 6)),
                                    of(s, 6),
                                    of(s, 3),
                                    of(s, 2),
                                    of(s, 6),
                                    of(s, 4),
                                    of(s, 2),
                                    of(s, 6)));
            AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-8f, 1);
            refused(
                    "adam",
                    11,
                    12,
                    () -> b.rl().adam(settings, of(s, 12), of(s, 11), null, of(s, 12), of(s, 12), of(s, 4)));
        }
    }

    @Test
    default void stepsRefuseOtherShapes() {
        Backend b = tested();
        try (Scope s = b.memory().openScope()) {
            DeviceArray two = s.allocate(DType.I32, 2);
            DeviceArray one = s.allocate(DType.I32, 1);
            StepArrays<DeviceArray> step = new StepArrays<>(2, 3, of(s, 6), of(s, 2), two, two, of(s, 6), null);
            StepClock clock = new StepClock(two, two, two, of(s, 2), one);
            refused("advance", 3, 2, () -> b.rl().advance(step, clock, 0, 2, 1, of(s, 3), of(s, 2)));
            StepClock ofOne = new StepClock(two, one, two, of(s, 2), one);
            refused("advance", 1, 2, () -> b.rl().advance(step, ofOne, 0, 2, 1, of(s, 2), of(s, 2)));
            refused("enumerate", 1, 2, () -> b.rl().enumerate(two, one, one));
            DeviceArray fourteen = s.allocate(DType.I32, 14);
            StepEncoding encoding = new StepEncoding(fourteen, s.allocate(DType.I32, 4), of(s, 0));
            StepInputs inputs = new StepInputs(2, of(s, 6), two, two, 0, null);
            refused("encode", 14, 12, () -> b.rl().encode(encoding, inputs, of(s, 6)));
            StepEncoding whole = new StepEncoding(s.allocate(DType.I32, 12), s.allocate(DType.I32, 4), of(s, 0));
            refused("encode", 7, 6, () -> b.rl().encode(whole, inputs, of(s, 7)));
            StepInputs uneven = new StepInputs(2, of(s, 7), two, two, 0, null);
            refused("encode", 7, 2, () -> b.rl().encode(whole, uneven, of(s, 6)));
            refused(
                    "placeRows",
                    7,
                    6,
                    () -> b.math().placeRows(RowPlaces.in(two, 4), List.of(new TableRows(of(s, 12), 3, of(s, 7)))));
            refused(
                    "placeRows",
                    13,
                    3,
                    () -> b.math().placeRows(RowPlaces.in(two, 4), List.of(new TableRows(of(s, 13), 3, of(s, 6)))));
        }
    }

    private LayerNormArgs<DeviceArray> layerNormArgs(Scope s, int gains) {
        return new LayerNormArgs<>(2, 3, of(s, 6), of(s, gains), of(s, 2), of(s, 2));
    }

    private PpoBatch<DeviceArray> played(Scope s, DeviceArray taken) {
        return new PpoBatch<>(2, taken, of(s, 2), of(s, 2), of(s, 2), of(s, 2), of(s, 1));
    }
}
