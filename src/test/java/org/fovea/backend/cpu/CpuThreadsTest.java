// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
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
            attention();
            attentionWithTerms(4);
            attentionWithTerms(1);
            attentionOfFewHeads();
            b.rl().ppoGaussian(
                            new PpoLoss(0.2f, 0.01f, 0.5f, 0.2f, 1f / rows),
                            new PpoBatch<>(
                                    rows, input(rows * width), input(rows), input(rows), input(rows), input(rows)),
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
                            input(rows * width),
                            second,
                            state);
            return results.stream().map(this::download).toList();
        }

        private void attention() {
            AttentionShape shape = new AttentionShape(3, 5, 97, 131, 16, 16, AttentionShape.Layout.BNHD);
            AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);
            attention(call(shape, spec));
        }

        /** With bias gradients that rows of the batch, or all heads, add up in one place. */
        private void attentionWithTerms(int biasHeads) {
            AttentionShape shape = new AttentionShape(3, 4, 2, 70, 33, 16, 24, AttentionShape.Layout.BHND);
            ScoreBias<DeviceArray> bias = new ScoreBias<>(input(biasHeads * 70 * 33), 1, biasHeads, 70, 33);
            ScoreBias<DeviceArray> mask = new ScoreBias<>(input(3 * 33), 3, 1, 1, 33);
            attention(call(shape, AttentionSpec.DEFAULT)
                    .withBias(bias)
                    .withSink(input(4))
                    .withMask(AttentionMask.<DeviceArray>none().withScores(mask).withAlibi(input(4))));
        }

        /** Rows that are long enough to be cut. */
        private void attentionOfFewHeads() {
            AttentionShape shape = new AttentionShape(1, 4, 2, 700, 131, 24, 16, AttentionShape.Layout.BNHD);
            attention(call(shape, AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.TOP_LEFT))
                    .withBias(ScoreBias.relative(input(41), 1, 1, 20))
                    .withSink(input(4)));
        }

        private AttentionCall<DeviceArray> call(AttentionShape shape, AttentionSpec spec) {
            return AttentionCall.of(
                    shape, spec, input((int) shape.querySize()), input((int) shape.keySize()), input((int)
                            shape.valueSize()));
        }

        private AttentionPlane<DeviceArray> arguments(AttentionCall<DeviceArray> call, IntFunction<DeviceArray> array) {
            return call.inputs().map(x -> array.apply((int) x.length()));
        }

        private void attention(AttentionCall<DeviceArray> call) {
            int outputs = (int) call.shape().outputSize();
            int rows = (int) call.shape().logSumExpSize();
            DeviceArray output = output(outputs);
            DeviceArray logSumExp = output(rows);
            DeviceArray dOutput = input(outputs);
            AttentionPlane<DeviceArray> tangents = arguments(call, this::input);
            AttentionOutputs<DeviceArray> out =
                    new AttentionOutputs<>(output, logSumExp).withState(b.attention(), call, scope::allocate);
            b.attention().forward(call, out);
            b.attention().backward(call, out, AttentionPlane.outputs(dOutput, null), arguments(call, this::output));
            b.attention().tangent(call, out, tangents, AttentionPlane.outputs(output(outputs), output(rows)));
            b.attention()
                    .backwardTangent(
                            call,
                            out,
                            AttentionPlane.outputs(dOutput, input(rows)),
                            tangents.withOutputs(input(outputs), null),
                            arguments(call, this::output).withOutputs(output(outputs), output(rows)));
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

    private static List<float[]> results(int threads) {
        try (Step step = new Step(threads)) {
            return step.run();
        }
    }
}
