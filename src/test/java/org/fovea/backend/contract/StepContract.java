// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.AdamSettings;
import org.junit.jupiter.api.Test;

/** Captured steps. */
interface StepContract extends ContractFixture {

    /** A training step in miniature: random inputs, a linear layer, attention, its gradient, Adam. */
    final class Miniature implements AutoCloseable {
        static final int BATCH = 2;
        static final int SEQUENCE = 5;
        static final int HEADS = 3;
        static final int DIM = 2;
        static final int WIDTH = HEADS * DIM;
        static final int ROWS = BATCH * SEQUENCE;
        static final int IN = 7;

        private final Backend b;
        final DeviceArray weights;
        final DeviceArray firstMoment;
        final DeviceArray secondMoment;
        final DeviceArray adam;
        final DeviceArray counter;
        final DeviceArray noise;

        Miniature(Backend b) {
            this.b = b;
            weights = b.memory().allocate(b.memory().floatType(), IN * WIDTH);
            firstMoment = b.memory().allocate(b.memory().floatType(), IN * WIDTH);
            secondMoment = b.memory().allocate(b.memory().floatType(), IN * WIDTH);
            adam = b.memory().allocate(b.memory().floatType(), AdamSettings.STATE_SIZE);
            counter = b.memory().allocate(DType.I32, 1);
            noise = b.memory().allocate(b.memory().floatType(), ROWS * WIDTH);
            b.math().uniform(new RandomRange(1, 2, 3), weights);
        }

        /** Inputs that change from step to step. */
        void prepare(int step) {
            b.memory().fill(adam.slice(AdamSettings.LEARNING_RATE, 1), 0.1 / (1 + step));
            b.memory().fill(counter, 17 * step);
        }

        /** The body of a captured step. */
        void step() {
            try (Scope scope = b.memory().openScope()) {
                DeviceArray x = scope.allocate(b.memory().floatType(), ROWS * IN);
                DeviceArray h = scope.allocate(b.memory().floatType(), ROWS * WIDTH);
                DeviceArray logStd = scope.allocate(b.memory().floatType(), WIDTH);
                DeviceArray logProbs = scope.allocate(b.memory().floatType(), ROWS);
                b.math().uniform(new RandomRange(4, 5, 6, counter), x);
                b.math().linear(ROWS, IN, WIDTH, x, weights, null, Activation.NONE, h);
                b.memory().fill(logStd, -2);
                b.rl().sampleGaussian(ROWS, WIDTH, h, logStd, new RandomRange(7, 8, 0, counter), noise, logProbs);
                DeviceArray gradients = scope.allocate(b.memory().floatType(), weights.length());
                b.math().gemm(Gemm.dense(true, false, IN, WIDTH, ROWS), x, attentionGradient(scope, h), gradients);
                AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-8f, 0.5f);
                b.rl().adam(settings, weights, gradients, null, firstMoment, secondMoment, adam);
            }
        }

        /** The gradient for h of half the squared attention output, of query and value alone. */
        private DeviceArray attentionGradient(Scope scope, DeviceArray h) {
            AttentionShape shape =
                    new AttentionShape(BATCH, HEADS, SEQUENCE, SEQUENCE, DIM, DIM, AttentionShape.Layout.BNHD);
            AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, h, noise, h);
            DeviceArray output = scope.allocate(b.memory().floatType(), h.length());
            DeviceArray logSumExp = scope.allocate(b.memory().floatType(), shape.logSumExpSize());
            AttentionOutputs<DeviceArray> out =
                    new AttentionOutputs<>(output, logSumExp).withState(b.attention(), call, scope::allocate);
            b.attention().forward(call, out);
            DeviceArray dQuery = scope.allocate(b.memory().floatType(), h.length());
            DeviceArray dKey = scope.allocate(b.memory().floatType(), h.length());
            DeviceArray dValue = scope.allocate(b.memory().floatType(), h.length());
            b.attention()
                    .backward(
                            call,
                            out,
                            AttentionPlane.outputs(output, null),
                            AttentionPlane.inputs(dQuery, dKey, dValue));
            int[] all = {(int) h.length()};
            int[] dense = {1};
            b.math().zip(BinaryOp.ADD, all, dQuery, dense, dValue, dense, dQuery);
            return dQuery;
        }

        /** Everything that lives on from step to step. */
        double[] state() {
            double[] values = new double[(int) (3 * weights.length() + adam.length() + noise.length())];
            int at = 0;
            for (DeviceArray array : new DeviceArray[] {weights, firstMoment, secondMoment, adam, noise}) {
                b.memory().download(array, values, at);
                at += (int) array.length();
            }
            return values;
        }

        @Override
        public void close() {
            weights.release();
            firstMoment.release();
            secondMoment.release();
            adam.release();
            counter.release();
            noise.release();
        }
    }

    @Test
    default void tenReplaysEqualTenEagerSteps() {
        try (Miniature eager = new Miniature(tested());
                Miniature captured = new Miniature(tested());
                CapturedStep step = tested().capture(captured::step)) {
            assertThat(captured.state()).as("capturing runs nothing").isEqualTo(eager.state());
            double[] before = eager.state();
            for (int i = 0; i < 10; i++) {
                eager.prepare(i);
                eager.step();
                captured.prepare(i);
                step.replay();
                assertThat(captured.state()).as("after step %d", i).isEqualTo(eager.state());
                assertThat(captured.state()).isNotEqualTo(before);
                before = captured.state();
            }
        }
    }

    @Test
    default void stepsInterleaveWithEachOtherAndWithWorkBetween() {
        Backend b = tested();
        try (Miniature eager = new Miniature(b);
                Miniature first = new Miniature(b);
                Miniature second = new Miniature(b);
                CapturedStep firstStep = b.capture(first::step);
                CapturedStep secondStep = b.capture(() -> {
                    second.step();
                    second.step();
                })) {
            for (int i = 0; i < 3; i++) {
                first.prepare(i);
                second.prepare(i);
                firstStep.replay();
                try (Scope scope = b.memory().openScope()) {
                    DeviceArray between = scope.allocate(b.memory().floatType(), Miniature.ROWS * Miniature.WIDTH);
                    b.memory().fill(between, i);
                    secondStep.replay();
                    firstStep.replay();
                    double[] values = new double[(int) between.length()];
                    b.memory().download(between, values, 0);
                    assertThat(values).as("an array outside the steps").containsOnly(i);
                }
                eager.prepare(i);
                eager.step();
                eager.step();
                assertThat(first.state()).isEqualTo(eager.state());
                assertThat(second.state()).isEqualTo(eager.state());
            }
        }
    }

    @Test
    default void replaysTakeNoMemoryAndClosedStepsHoldNone() {
        Backend b = tested();
        assertThat(b.memory().liveBytes()).isZero();
        try (Miniature miniature = new Miniature(b)) {
            long live = b.memory().liveBytes();
            CapturedStep step = b.capture(miniature::step);
            step.replay();
            b.synchronize();
            long reserved = b.memory().reservedBytes();
            for (int i = 0; i < 5; i++) {
                step.replay();
            }
            b.synchronize();
            assertThat(b.memory().reservedBytes()).isEqualTo(reserved);
            assertThat(b.memory().liveBytes()).isEqualTo(live);
            step.close();
            step.close();
            assertThatThrownBy(step::replay)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("closed");
            miniature.step();
            assertThat(b.memory().reservedBytes())
                    .as("memory of a closed step is used again")
                    .isEqualTo(reserved);
        }
    }

    @Test
    default void anExceptionInTheBodyLeavesNothingBehind() {
        Backend b = tested();
        try (Miniature miniature = new Miniature(b);
                Miniature same = new Miniature(b)) {
            long live = b.memory().liveBytes();
            assertThatThrownBy(() -> captureAndReplay(() -> {
                        miniature.prepare(1);
                        throw new ArithmeticException("in the body");
                    }))
                    .isInstanceOf(ArithmeticException.class)
                    .hasMessage("in the body");
            assertThat(b.memory().liveBytes()).isEqualTo(live);
            for (Miniature each : new Miniature[] {miniature, same}) {
                each.prepare(2);
                each.step();
            }
            assertThat(miniature.state()).isEqualTo(same.state());
            captureAndReplay(miniature::step);
            same.step();
            assertThat(miniature.state()).isEqualTo(same.state());
        }
    }

    private void captureAndReplay(Runnable body) {
        try (CapturedStep step = tested().capture(body)) {
            step.replay();
        }
    }

    @Test
    default void whatADeviceCannotRecordIsRefused() {
        Backend b = tested();
        DeviceArray floats = b.memory().allocate(b.memory().floatType(), 3);
        DeviceArray integers = b.memory().allocate(DType.I32, 3);
        try (CapturedStep other = b.capture(() -> b.memory().fill(floats, 1))) {
            Map<String, Runnable> calls = new LinkedHashMap<>();
            calls.put("upload", () -> b.memory().upload(new float[3], 0, floats));
            calls.put("upload ", () -> b.memory().upload(new double[3], 0, floats));
            calls.put("upload  ", () -> b.memory().upload(new int[3], 0, integers));
            calls.put("download", () -> b.memory().download(floats, new float[3], 0));
            calls.put("download ", () -> b.memory().download(floats, new double[3], 0));
            calls.put("download  ", () -> b.memory().download(integers, new int[3], 0));
            calls.put("synchronize", b::synchronize);
            calls.put("s", () -> b.seconds(() -> {}));
            calls.put("allocate", () -> b.memory().allocate(b.memory().floatType(), 3));
            calls.put("release", floats::release);
            calls.put("capture", () -> b.capture(() -> {}));
            calls.put("replay", other::replay);
            calls.forEach((name, call) -> assertThatThrownBy(() -> captureAndReplay(() -> {
                        b.memory().fill(floats, 2);
                        call.run();
                    }))
                    .as(name)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining(name.strip())
                    .hasMessageContaining("captured step"));
            other.replay();
            double[] values = new double[3];
            b.memory().download(floats, values, 0);
            assertThat(values).containsOnly(1);
        }
        floats.release();
        integers.release();
    }

    @Test
    default void aStepWhoseArraysHaveEndedIsRefused() {
        Backend b = tested();
        DeviceArray array = b.memory().allocate(b.memory().floatType(), 3);
        Scope scope = b.memory().openScope();
        DeviceArray scoped = scope.allocate(b.memory().floatType(), 3);
        try (CapturedStep onArray = b.capture(() -> b.memory().fill(array.slice(1, 2), 1));
                CapturedStep onScoped = b.capture(() -> b.memory().fill(scoped, 1))) {
            onArray.replay();
            onScoped.replay();
            array.release();
            scope.close();
            DeviceArray next = b.memory().allocate(b.memory().floatType(), 3);
            assertThatThrownBy(onArray::replay).isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(onScoped::replay).isInstanceOf(IllegalStateException.class);
            double[] values = new double[3];
            b.memory().download(next, values, 0);
            assertThat(values).containsOnly(0);
            next.release();
        }
    }

    @Test
    default void closingABackendClosesItsSteps() {
        Backend b = open();
        DeviceArray array = b.memory().allocate(b.memory().floatType(), 3);
        CapturedStep step = b.capture(() -> b.memory().fill(array, 1));
        step.replay();
        b.close();
        assertThatThrownBy(step::replay).isInstanceOf(IllegalStateException.class);
        step.close();
        assertThatThrownBy(() -> b.capture(() -> {})).isInstanceOf(IllegalStateException.class);
    }

    @Test
    default void workIsTimed() {
        Backend b = tested();
        try (Miniature miniature = new Miniature(b)) {
            double[] before = miniature.state();
            assertThat(b.seconds(miniature::step)).isBetween(0.0, 60.0);
            assertThat(miniature.state()).isNotEqualTo(before);
        }
    }
}
