// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which attentions the float32 kernels take, and numbers at the ends of their range. */
@Tag("vectors")
class FusedFeaturesTest {
    private static final int N = 5;
    private static final int M = 70;
    private static final int D = 4;
    private static final AttentionShape SHAPE = new AttentionShape(1, 1, N, M, D, D, AttentionShape.Layout.BHND);

    private final CpuBackend backend = new CpuBackend(KernelChoice.KERNELS, 1);
    private final Random random = new Random(11);
    private final float[] query = gaussians(N * D);
    private final float[] key = gaussians(M * D);
    private final float[] value = gaussians(M * D);
    private final float[] bias = new float[M];

    @AfterEach
    void close() {
        backend.close();
    }

    private float[] gaussians(int length) {
        float[] x = new float[length];
        for (int i = 0; i < length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        return x;
    }

    private DeviceArray array(float... x) {
        DeviceArray array = backend.memory().allocate(DType.F32, x.length);
        backend.memory().upload(x, 0, array);
        return array;
    }

    private float[] contents(DeviceArray array) {
        float[] x = new float[(int) array.length()];
        backend.memory().download(array, x, 0);
        return x;
    }

    private AttentionCall<DeviceArray> call(AttentionSpec spec, float slope) {
        return AttentionCall.of(SHAPE, spec, array(query), array(key), array(value))
                .withBias(new ScoreBias<>(array(bias), 1, 1, 1, M))
                .withMask(AttentionMask.<DeviceArray>none().withAlibi(array(slope)));
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "30, 0", "0, 0.1", "50, 0.5", "1e-17, 1", "1e17, 1e-9"})
    void float32KernelsKnowSoftcapAndDropout(double softcap, double dropout) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(softcap).withDropout(dropout, 1);
        assertThat(FusedAttention.supports(call(spec, 0.5f))).isTrue();
    }

    /**
     * All keys have the same large number in one column, so the query's gradient there is that number times a sum of score
     * gradients, which is 0 if probabilities add up to 1: a log-sum-exp near 10,000 alone is not precise enough for that.
     */
    @ParameterizedTest
    @ValueSource(ints = {48, 70})
    void gradientsOfScoresAddUpToNothingHoweverLargeTheScores(int keys) {
        float large = 100;
        for (int row = 0; row < N; row++) {
            query[row * D] = large;
        }
        for (int row = 0; row < keys; row++) {
            key[row * D] = large;
        }
        AttentionShape shape = new AttentionShape(1, 1, N, keys, D, D, AttentionShape.Layout.BHND);
        AttentionSpec spec = AttentionSpec.DEFAULT.withScale(1);
        AttentionCall<DeviceArray> call = AttentionCall.of(
                shape, spec, array(query), array(Arrays.copyOf(key, keys * D)), array(Arrays.copyOf(value, keys * D)));
        float[] keyTangent = gaussians(keys * D);
        for (int row = 0; row < keys; row++) {
            keyTangent[row * D] = 0;
        }
        DeviceArray output = array(new float[N * D]);
        DeviceArray logSumExp = array(new float[N]);
        AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(array(gaussians(N * D)), null);
        AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(output, logSumExp)
                .withState(backend.attention(), call, backend.memory()::allocate);
        AttentionPlane<DeviceArray> results =
                AttentionPlane.inputs(array(new float[N * D]), array(new float[keys * D]), array(new float[keys * D]));
        backend.attention().forward(call, out);
        assertThat(contents(logSumExp)[0]).isBetween(0.9f * large * large, 1.1f * large * large);
        backend.attention().backward(call, out, dOutputs, results);
        assertSumsAreZero(results, large, keys);
        backend.attention()
                .backwardTangent(
                        call,
                        out,
                        dOutputs,
                        AttentionPlane.inputs(array(gaussians(N * D)), array(keyTangent), array(gaussians(keys * D))),
                        results.withOutputs(array(new float[N * D]), array(new float[N])));
        assertSumsAreZero(results, large, keys);
    }

    private void assertSumsAreZero(AttentionPlane<DeviceArray> gradients, float large, int keys) {
        float[] dQuery = contents(gradients.query());
        float[] dKey = contents(gradients.key());
        double largest = 0;
        for (int i = 0; i < keys * D; i++) {
            largest = Math.max(largest, Math.abs(dKey[i]) / large);
        }
        for (int row = 0; row < N; row++) {
            // A rounding for each summand, of numbers that are no larger than those which all queries together gave the
            // keys.
            assertThat(Math.abs(dQuery[row * D])).isLessThan((float) (large * keys * 0x1p-22 * Math.max(1, largest)));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-300, 1e-19, 1e19, 1e300})
    void capsBeyondFloat32AreLeftToTheSeries(double softcap) {
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(softcap);
        assertThat(FusedAttention.supports(call(spec, 0))).isFalse();
    }

    /** Tiny caps leave nothing to tell keys by, huge ones everything; biases of any size are bent too. */
    @ParameterizedTest
    @ValueSource(doubles = {1e-300, 1e-30, 1e-17, 1e-6, 0.1, 3, 1e5, 1e17, 1e30, 1e300})
    void capsOfAnySize(double softcap) {
        if (softcap < 100) {
            bias[3] = Float.MAX_VALUE;
            bias[7] = -Float.MAX_VALUE;
            bias[66] = Float.NEGATIVE_INFINITY;
        }
        check(AttentionSpec.DEFAULT.withSoftcap(softcap).withDropout(0.3, 5), 0.01f);
    }

    /** Every key is so far away that float32 has no number for what is taken off, but the nearest is near beside the others. */
    @Test
    void slopesWithoutLimit() {
        check(AttentionSpec.DEFAULT.withPastKeys(M), 3e38f);
    }

    /** Outputs and gradients of a loss, the sum of squares of outputs over two, against loops in float64. */
    private void check(AttentionSpec spec, float slope) {
        AttentionCall<DeviceArray> call = call(spec, slope);
        DeviceArray output = backend.memory().allocate(DType.F32, N * D);
        DeviceArray logSumExp = backend.memory().allocate(DType.F32, N);
        DeviceArray dQuery = backend.memory().allocate(DType.F32, N * D);
        DeviceArray dKey = backend.memory().allocate(DType.F32, M * D);
        DeviceArray dValue = backend.memory().allocate(DType.F32, M * D);
        AttentionPlane<DeviceArray> gradients = AttentionPlane.inputs(dQuery, dKey, dValue);
        AttentionOutputs<DeviceArray> out = new AttentionOutputs<>(output, logSumExp)
                .withState(backend.attention(), call, backend.memory()::allocate);
        backend.attention().forward(call, out);
        backend.attention().backward(call, out, AttentionPlane.outputs(output, null), gradients);
        double[] expectedOutput = new double[N * D];
        double[] expectedQuery = new double[N * D];
        double[] expectedValue = new double[M * D];
        for (int i = 0; i < N; i++) {
            row(i, spec, slope, expectedOutput, expectedQuery, expectedValue);
        }
        assertClose(contents(output), expectedOutput);
        assertClose(contents(dQuery), expectedQuery);
        assertClose(contents(dValue), expectedValue);
    }

    private void row(int i, AttentionSpec spec, float slope, double[] output, double[] dQuery, double[] dValue) {
        double cap = spec.softcap();
        double[] p = new double[M];
        double[] g = new double[M];
        double largest = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < M; j++) {
            double z = spec.scale(D) * dot(query, i, key, j) + bias[j];
            double cosh = Math.cosh(cap == 0 ? 0 : z / cap);
            g[j] = 1 / cosh / cosh;
            double bent = cap == 0 ? z : cap * Math.tanh(z / cap);
            p[j] = bent - (double) slope * Math.abs(spec.pastKeys() + i - j);
            largest = Math.max(largest, p[j]);
        }
        double sum = 0;
        for (int j = 0; j < M; j++) {
            p[j] = Math.exp(p[j] - largest);
            sum += p[j];
        }
        for (int j = 0; j < M; j++) {
            p[j] /= sum;
            for (int c = 0; c < D; c++) {
                output[i * D + c] += p[j] * spec.dropoutFactor(0, i, j) * value[j * D + c];
            }
        }
        double delta = 0;
        for (int c = 0; c < D; c++) {
            delta += output[i * D + c] * output[i * D + c];
        }
        for (int j = 0; j < M; j++) {
            double kept = spec.dropoutFactor(0, i, j);
            double gradient = 0;
            for (int c = 0; c < D; c++) {
                gradient += kept * output[i * D + c] * value[j * D + c];
                dValue[j * D + c] += p[j] * kept * output[i * D + c];
            }
            double moved = p[j] * (gradient - delta) * g[j] * spec.scale(D);
            for (int c = 0; c < D; c++) {
                dQuery[i * D + c] += moved * key[j * D + c];
            }
        }
    }

    private static double dot(float[] x, int i, float[] y, int j) {
        double sum = 0;
        for (int c = 0; c < D; c++) {
            sum += (double) x[i * D + c] * y[j * D + c];
        }
        return sum;
    }

    /** To float32's rounding of sums of M terms that are at most of the size of one. */
    private static void assertClose(float[] actual, double[] expected) {
        for (int i = 0; i < actual.length; i++) {
            assertThat(Math.abs(actual[i] - expected[i]))
                    .as("element %d is %s, expected %s", i, actual[i], expected[i])
                    .isLessThanOrEqualTo(4e-6);
        }
    }
}
