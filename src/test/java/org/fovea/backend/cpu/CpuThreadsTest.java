// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** The number of threads changes no bit of any result. */
class CpuThreadsTest {

    /** What one of everything that sums gives, on sizes large enough to be cut. */
    private static final class Step implements AutoCloseable {
        private final Backend b;
        private final Scope scope;
        private final List<DeviceArray> results = new ArrayList<>();
        private int inputs;

        Step(int threads) {
            b = Backends.open("cpu", threads).backend();
            scope = b.memory().openScope();
        }

        /** Uniform numbers around zero, others for each array. */
        DeviceArray input(int length) {
            DeviceArray x = scope.allocate(b.memory().floatType(), length);
            b.math().uniform(new RandomRange(1, inputs++, 0), x);
            DeviceArray y = output(length);
            b.math().standardize(1e-8f, x, y);
            return y;
        }

        DeviceArray output(int length) {
            DeviceArray y = scope.allocate(b.memory().floatType(), length);
            results.add(y);
            return y;
        }

        List<float[]> run() {
            int rows = 1031;
            int width = 67;
            DeviceArray x = input(rows * width);
            b.math().gemm(Gemm.dense(true, false, width, width, rows), x, input(rows * width), output(width * width));
            b.math()
                    .linear(
                            rows,
                            width,
                            width,
                            x,
                            input(width * width),
                            input(width),
                            Activation.TANH,
                            output(rows * width));
            b.math().reduce(ReduceOp.SUM, 1, rows * width, 1, x, output(1));
            b.math().reduce(ReduceOp.SUM, 1, rows, width, x, output(width));
            DeviceArray mean = output(rows);
            DeviceArray std = output(rows);
            DeviceArray gain = input(width);
            LayerNormArgs<DeviceArray> args = new LayerNormArgs<>(rows, width, x, gain, mean, std);
            b.math().layerNorm(args, 1e-5f, input(width), output(rows * width));
            b.math().layerNormBackward(args, input(rows * width), output(rows * width), output(width), output(width));
            b.math().softmax(rows, width, x, output(rows * width));
            b.rl().ppoGaussian(
                            new PpoLoss(0.01f, 0.5f, 0.2f, 1f / rows),
                            new PpoBatch<>(
                                    rows,
                                    input(rows * width),
                                    input(rows),
                                    input(rows),
                                    input(rows),
                                    input(rows),
                                    input(1)),
                            x,
                            input(width),
                            input(rows),
                            output(rows * width),
                            output(width),
                            output(rows),
                            output(PpoLoss.STATISTICS));
            DeviceArray state = output(AdamSettings.STATE_SIZE);
            b.memory().upload(new float[] {0.01f, 0, 0, 0}, 0, state);
            DeviceArray second = input(rows * width);
            b.memory().fill(second, 0.5);
            b.rl().adam(
                            new AdamSettings(0.9f, 0.999f, 1e-8f, 0.5f),
                            x,
                            input(rows * width),
                            null,
                            input(rows * width),
                            second,
                            state);
            return results.stream().map(this::download).toList();
        }

        private float[] download(DeviceArray array) {
            float[] values = new float[(int) array.length()];
            b.memory().download(array, values, 0);
            return values;
        }

        @Override
        public void close() {
            scope.close();
            b.close();
        }
    }

    @Test
    void threadsChangeNoBit() {
        List<float[]> alone = results(1);
        for (int threads : new int[] {2, 3}) {
            List<float[]> together = results(threads);
            for (int i = 0; i < alone.size(); i++) {
                assertThat(together.get(i))
                        .as("result %d on %d threads", i, threads)
                        .isEqualTo(alone.get(i));
            }
        }
    }

    /** Bias gradients that rows of the batch, or all heads, add up in one place, and rows that are long enough to be cut. */
    @Test
    void threadsChangeNoBitOfAttention() {
        AttentionSpec plain = AttentionSpec.DEFAULT;
        AttentionShape shape = new AttentionShape(3, 4, 2, 70, 33, 16, 24, AttentionShape.Layout.BHND);
        AttentionFeatures terms = new AttentionFeatures("terms", shape, plain)
                .withMask(9)
                .withAlibi()
                .withSink();
        List<AttentionFeatures> all = List.of(
                new AttentionFeatures(
                        "tiles",
                        new AttentionShape(3, 5, 97, 131, 16, 16, AttentionShape.Layout.BNHD),
                        plain.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT)),
                terms.withBias(7),
                terms.withBias(3),
                new AttentionFeatures(
                                "few heads",
                                new AttentionShape(1, 4, 2, 700, 131, 24, 16, AttentionShape.Layout.BNHD),
                                plain.withCausal(AttentionSpec.Alignment.TOP_LEFT))
                        .withRelativeBias(0, 20)
                        .withSink());
        try (Backend alone = Backends.open("cpu", 1).backend()) {
            for (int threads : new int[] {2, 3}) {
                try (Backend together = Backends.open("cpu", threads).backend();
                        Pair pair = new Pair(together, alone)) {
                    all.forEach(features -> new AttentionProblem(pair, features, 1).checkSameBits());
                }
            }
        }
    }

    private static List<float[]> results(int threads) {
        try (Step step = new Step(threads)) {
            return step.run();
        }
    }
}
