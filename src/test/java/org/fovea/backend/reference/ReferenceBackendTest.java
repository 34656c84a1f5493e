// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import java.util.function.ToDoubleFunction;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.Trajectories;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The gradients that the reference defines are the derivatives of the values that it defines. */
class ReferenceBackendTest {

    private static final double STEP = 1e-5;

    private final ReferenceBackend b = new ReferenceBackend();
    private final Random random = new Random(1);

    @AfterEach
    void close() {
        b.close();
    }

    private double[] normal(int length) {
        return random.doubles(length, -1.5, 1.5).toArray();
    }

    private DeviceArray array(double... values) {
        DeviceArray array = b.memory().allocate(DType.F64, values.length);
        b.memory().upload(values, 0, array);
        return array;
    }

    private DeviceArray integers(int... values) {
        DeviceArray array = b.memory().allocate(DType.I32, values.length);
        b.memory().upload(values, 0, array);
        return array;
    }

    private double[] values(DeviceArray array) {
        double[] values = new double[(int) array.length()];
        b.memory().download(array, values, 0);
        return values;
    }

    private double dot(DeviceArray x, double[] weights) {
        double[] elements = values(x);
        double sum = 0;
        for (int i = 0; i < weights.length; i++) {
            sum += elements[i] * weights[i];
        }
        return sum;
    }

    /** Compares with central differences, whose error is of the order of STEP^2. */
    private void checkGradient(String name, DeviceArray x, DeviceArray gradient, ToDoubleFunction<DeviceArray> loss) {
        double[] at = values(x);
        double[] actual = values(gradient);
        for (int i = 0; i < at.length; i++) {
            double original = at[i];
            at[i] = original + STEP;
            b.memory().upload(at, 0, x);
            double up = loss.applyAsDouble(x);
            at[i] = original - STEP;
            b.memory().upload(at, 0, x);
            double down = loss.applyAsDouble(x);
            at[i] = original;
            b.memory().upload(at, 0, x);
            double expected = (up - down) / (2 * STEP);
            assertThat(actual[i]).as("%s[%d]", name, i).isCloseTo(expected, within(1e-8 * (1 + Math.abs(expected))));
        }
    }

    @Test
    void elementwiseGradients() {
        checkElementwise(UnaryOp.TANH, BinaryOp.TANH_GRADIENT, true);
        checkElementwise(UnaryOp.SIGMOID, BinaryOp.SIGMOID_GRADIENT, true);
        checkElementwise(UnaryOp.RELU, BinaryOp.RELU_GRADIENT, true);
        checkElementwise(UnaryOp.GELU, BinaryOp.GELU_GRADIENT, false);
    }

    private void checkElementwise(UnaryOp op, BinaryOp gradient, boolean fromOutput) {
        DeviceArray x = array(normal(9));
        DeviceArray y = array(new double[9]);
        DeviceArray dy = array(normal(9));
        DeviceArray dx = array(new double[9]);
        b.math().map(op, x, y);
        b.math().zip(gradient, new int[] {9}, fromOutput ? y : x, new int[] {1}, dy, new int[] {1}, dx);
        double[] weights = values(dy);
        checkGradient(op.name(), x, dx, moved -> {
            b.math().map(op, moved, y);
            return dot(y, weights);
        });
    }

    @Test
    void layerNormGradients() {
        int rows = 3;
        int width = 5;
        DeviceArray x = array(normal(15));
        DeviceArray gain = array(normal(width));
        DeviceArray bias = array(normal(width));
        DeviceArray y = array(new double[15]);
        DeviceArray mean = array(new double[rows]);
        DeviceArray std = array(new double[rows]);
        LayerNormArgs<DeviceArray> args = new LayerNormArgs<>(rows, width, x, gain, mean, std);
        double[] weights = normal(15);
        ToDoubleFunction<DeviceArray> loss = moved -> {
            b.math().layerNorm(args, 1e-3f, bias, y);
            return dot(y, weights);
        };
        b.math().layerNorm(args, 1e-3f, bias, y);
        DeviceArray dx = array(new double[15]);
        DeviceArray dGain = array(new double[width]);
        DeviceArray dBias = array(new double[width]);
        b.math().layerNormBackward(args, array(weights), dx, dGain, dBias);
        checkGradient("x", x, dx, loss);
        checkGradient("gain", gain, dGain, loss);
        checkGradient("bias", bias, dBias, loss);
    }

    private static double total(PpoLoss loss, double[] statistics) {
        return loss.rowWeight()
                * (statistics[PpoLoss.POLICY_LOSS]
                        - loss.entropyCoef() * statistics[PpoLoss.ENTROPY]
                        + loss.valueCoef() * statistics[PpoLoss.VALUE_LOSS]);
    }

    @Test
    void categoricalPolicyLossGradients() {
        for (float valueClip : new float[] {0, 0.2f}) {
            PpoLoss loss = new PpoLoss(0.1f, 0.5f, valueClip, 1f / 3);
            int rows = 12;
            DeviceArray logits = array(normal(rows * 4));
            DeviceArray values = array(normal(rows));
            DeviceArray taken = integers(0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 2, 3);
            DeviceArray old = array(random.doubles(rows, -2.5, -0.5).toArray());
            DeviceArray advantages = array(normal(rows));
            DeviceArray returns = array(normal(rows));
            DeviceArray oldValues = array(normal(rows));
            PpoBatch<DeviceArray> played = new PpoBatch<>(rows, taken, old, oldValues, advantages, returns, array(0.2));
            DeviceArray statistics = array(new double[PpoLoss.STATISTICS]);
            DeviceArray dLogits = array(new double[rows * 4]);
            DeviceArray dValues = array(new double[rows]);
            ToDoubleFunction<DeviceArray> scalar = moved -> {
                DeviceArray unused = array(new double[rows * 4]);
                b.rl().ppoCategorical(loss, played, 1, 4, logits, values, unused, array(new double[rows]), statistics);
                return total(loss, values(statistics));
            };
            b.rl().ppoCategorical(loss, played, 1, 4, logits, values, dLogits, dValues, statistics);
            checkGradient("logits", logits, dLogits, scalar);
            checkGradient("values", values, dValues, scalar);
        }
    }

    @Test
    void normalPolicyLossGradients() {
        PpoLoss loss = new PpoLoss(0.1f, 0.5f, 0.2f, 1f / 3);
        int rows = 9;
        int dim = 2;
        DeviceArray mean = array(normal(rows * dim));
        DeviceArray logStd = array(-0.3, 0.2);
        DeviceArray values = array(normal(rows));
        DeviceArray taken = array(normal(rows * dim));
        DeviceArray old = array(random.doubles(rows, -4, -1).toArray());
        DeviceArray advantages = array(normal(rows));
        DeviceArray returns = array(normal(rows));
        DeviceArray oldValues = array(normal(rows));
        PpoBatch<DeviceArray> played = new PpoBatch<>(rows, taken, old, oldValues, advantages, returns, array(0.2));
        DeviceArray statistics = array(new double[PpoLoss.STATISTICS]);
        DeviceArray dMean = array(new double[rows * dim]);
        DeviceArray dLogStd = array(new double[dim]);
        DeviceArray dValues = array(new double[rows]);
        ToDoubleFunction<DeviceArray> scalar = moved -> {
            b.rl().ppoGaussian(
                            loss,
                            played,
                            mean,
                            logStd,
                            values,
                            array(new double[rows * dim]),
                            array(new double[dim]),
                            array(new double[rows]),
                            statistics);
            return total(loss, values(statistics));
        };
        b.rl().ppoGaussian(loss, played, mean, logStd, values, dMean, dLogStd, dValues, statistics);
        checkGradient("mean", mean, dMean, scalar);
        checkGradient("logStd", logStd, dLogStd, scalar);
        checkGradient("values", values, dValues, scalar);
    }

    @Test
    void rotaryIsUndoneByTheOppositeSign() {
        DeviceArray x = array(normal(2 * 3 * 6));
        DeviceArray positions = integers(5, 1000);
        DeviceArray turned = array(new double[36]);
        DeviceArray back = array(new double[36]);
        b.math().rotary(2, 3, 6, 10000, 1, x, positions, turned);
        b.math().rotary(2, 3, 6, 10000, -1, turned, positions, back);
        assertThat(values(back)).containsExactly(values(x), within(1e-12));
        assertThat(values(turned)).isNotEqualTo(values(x));
    }

    /** By hand: two steps, the first of which ends an episode. */
    @Test
    void advantagesByHand() {
        DeviceArray advantages = array(0, 0);
        DeviceArray returns = array(0, 0);
        b.rl().advantages(trajectories(1, 0), 0.5f, 0.5f, advantages, returns);
        assertThat(values(advantages)).containsExactly(1 + 2 - 10, 2 + 4 - 20);
        assertThat(values(returns)).containsExactly(3, 6);
        b.rl().advantages(trajectories(0, 0), 0.5f, 0.5f, advantages, returns);
        assertThat(values(advantages)).containsExactly(-7 - 14 / 4.0, -14);
    }

    private Trajectories<DeviceArray> trajectories(double... done) {
        return new Trajectories<>(1, 2, array(1, 2), array(10, 20), array(4, 8), array(done));
    }

    @Test
    void linearByHand() {
        DeviceArray y = array(0, 0);
        b.math().linear(1, 2, 2, array(1, 2), array(3, 4, 5, 6), array(-20, 1), Activation.RELU, y);
        assertThat(values(y)).containsExactly(0, 17);
    }
}
