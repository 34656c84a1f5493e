// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.Stream;
import org.fovea.backend.cpu.KernelChoice;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The kernels of this machine against the scalar ones, and both against loops in double precision. */
@Tag("vectors")
class KernelsTest {
    private static final int[] SIZES = {0, 1, 2, 3, 5, 6, 13, 16, 17, 31, 32, 33, 64, 97, 207, 300};
    private static final int PAD = 3;

    private final Random random = new Random(7);
    private final Kernels scalar = new ScalarKernels();
    private final CpuMemory memory = new CpuMemory(new RecordedSteps(true));

    static Stream<Kernels> both() {
        return Stream.of(new ScalarKernels(), KernelChoice.KERNELS);
    }

    @Test
    void theVectorKernelsAreTheOnesUnderTest() {
        assertThat(KernelChoice.KERNELS.description()).contains("lanes");
    }

    private float[] random(int n) {
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private CpuArray array(float[] values) {
        DeviceArray array = memory.allocate(DType.F32, values.length);
        memory.upload(values, 0, array);
        return memory.use(array);
    }

    private CpuArray afterPad(CpuArray array) {
        return memory.use(array.slice(PAD, array.length - PAD));
    }

    private float[] contents(CpuArray array) {
        float[] values = new float[array.length];
        memory.download(array, values, 0);
        return values;
    }

    @ParameterizedTest
    @EnumSource
    void mapsAreTheSameOnVectors(UnaryOp op) {
        for (int n : SIZES) {
            float[] x = random(n + PAD);
            float[] expected = random(n + 2 * PAD);
            float[] actual = expected.clone();
            scalar.map(op, x, PAD, expected, PAD + 1, n);
            KernelChoice.KERNELS.map(op, x, PAD, actual, PAD + 1, n);
            assertThat(actual).isEqualTo(expected);
            KernelChoice.KERNELS.map(op, x, PAD, x, PAD, n);
            assertThat(Arrays.copyOfRange(x, PAD, PAD + n))
                    .isEqualTo(Arrays.copyOfRange(expected, PAD + 1, PAD + 1 + n));
        }
    }

    @ParameterizedTest
    @EnumSource
    void zipsAreTheSameOnVectors(BinaryOp op) {
        for (int n : SIZES) {
            for (int steps = 0; steps < 4; steps++) {
                float[] a = random(n + PAD + 1);
                float[] b = random(n + PAD + 1);
                float[] expected = random(n + 2 * PAD);
                float[] actual = expected.clone();
                scalar.zip(op, a, PAD, steps & 1, b, 1, steps >> 1, expected, PAD, n);
                KernelChoice.KERNELS.zip(op, a, PAD, steps & 1, b, 1, steps >> 1, actual, PAD, n);
                assertThat(actual).as("%s %d steps %d", op, n, steps).isEqualTo(expected);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"EXP", "LOG", "TANH", "SIGMOID", "SOFTPLUS"})
    void functionsAreRightToThreeUlpOverTheWholeRange(UnaryOp op) {
        DoubleUnaryOperator exact = exact(op);
        int block = 4096;
        float[] x = new float[block];
        float[] y = new float[block];
        float[] onVectors = new float[block];
        long step = 2017;
        for (long bits = 0; bits < 1L << 32; bits += step * block) {
            for (int i = 0; i < block; i++) {
                x[i] = Float.intBitsToFloat((int) (bits + i * step));
            }
            scalar.map(op, x, 0, y, 0, block);
            KernelChoice.KERNELS.map(op, x, 0, onVectors, 0, block);
            assertThat(onVectors).isEqualTo(y);
            for (int i = 0; i < block; i++) {
                requireClose(op, x[i], y[i], exact.applyAsDouble(x[i]));
            }
        }
    }

    private static void requireClose(UnaryOp op, float x, float actual, double exact) {
        float rounded = (float) exact;
        boolean close = Float.compare(actual, rounded) == 0
                || Math.abs(actual - exact) <= 3 * Math.ulp(rounded)
                || Math.abs(exact) > Float.MAX_VALUE && Math.abs(actual) == Float.MAX_VALUE;
        if (!close) {
            throw new AssertionError(op + " of " + x + " is " + actual + ", expected " + exact);
        }
    }

    private static DoubleUnaryOperator exact(UnaryOp op) {
        return switch (op) {
            case EXP -> Math::exp;
            case LOG -> Math::log;
            case TANH -> Math::tanh;
            case SIGMOID -> x -> 1 / (1 + Math.exp(-x));
            case SOFTPLUS -> x -> Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
            default -> throw new IllegalArgumentException(op.name());
        };
    }

    @ParameterizedTest
    @EnumSource(names = {"EXP", "LOG", "TANH", "SIGMOID", "SOFTPLUS", "GELU"})
    void functionsAreRightAtSpecialValues(UnaryOp op) {
        float[] x = {
            0f,
            -0f,
            Float.NaN,
            Float.POSITIVE_INFINITY,
            Float.NEGATIVE_INFINITY,
            Float.MIN_VALUE,
            -Float.MIN_VALUE,
            Float.MAX_VALUE,
            -Float.MAX_VALUE,
            Float.MIN_NORMAL,
            1f,
            -1f,
            88.7f,
            -88.7f,
            -103.9f,
            -104.1f
        };
        float[] expected = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        float[] actual = new float[x.length];
        scalar.map(op, x, 0, expected, 0, x.length);
        KernelChoice.KERNELS.map(op, x, 0, actual, 0, x.length);
        assertThat(actual).isEqualTo(expected);
        assertThat(actual[2]).isNaN();
        if (op != UnaryOp.GELU) {
            for (int i = 0; i < x.length; i++) {
                requireClose(op, x[i], actual[i], exact(op).applyAsDouble(x[i]));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void productsOfAwkwardSizesAreRight(Kernels kernels) {
        int[][] sizes = {
            {1, 1, 1},
            {1, 64, 64},
            {2, 3, 5},
            {5, 33, 17},
            {6, 32, 4},
            {7, 16, 31},
            {13, 48, 97},
            {16, 1, 64},
            {31, 2, 33},
            {33, 4, 207},
            {64, 6, 13},
            {25, 207, 6},
            {64, 64, 300},
            {97, 97, 97},
            {40, 80, 0},
            {13, 200, 515}
        };
        for (int[] size : sizes) {
            for (int variant = 0; variant < 16; variant++) {
                float alpha = (variant & 4) == 0 ? 1f : -0.5f;
                float beta = new float[] {0f, 1f, 0.75f}[(variant >> 2) % 3];
                product(kernels, size[0], size[1], size[2], (variant & 1) == 1, (variant & 2) == 2, alpha, beta);
            }
        }
    }

    private void product(
            Kernels kernels, int m, int n, int k, boolean transposeA, boolean transposeB, float alpha, float beta) {
        int lda = (transposeA ? m : k) + 1;
        int ldb = (transposeB ? k : n) + 2;
        int ldc = n + 3;
        float[] a = random((transposeA ? k : m) * lda + PAD);
        float[] b = random((transposeB ? n : k) * ldb + PAD);
        float[] c = random(m * ldc + PAD);
        float[] before = c.clone();
        if (beta == 0) {
            for (int i = 0; i < m; i++) {
                Arrays.fill(c, PAD + i * ldc, PAD + i * ldc + n, Float.NaN);
            }
        }
        Gemm g = new Gemm(transposeA, transposeB, m, n, k, lda, ldb, ldc, 1, 0, 0, 0, alpha, beta);
        CpuArray product = array(c);
        kernels.gemm(g, 0, 0, m / 2, afterPad(array(a)), afterPad(array(b)), afterPad(product));
        kernels.gemm(g, 0, m / 2, m, afterPad(array(a)), afterPad(array(b)), afterPad(product));
        c = contents(product);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < ldc && PAD + i * ldc + j < c.length; j++) {
                int at = PAD + i * ldc + j;
                if (j >= n) {
                    assertThat(c[at]).as("beside the matrix").isEqualTo(before[at]);
                    continue;
                }
                double sum = 0;
                double magnitude = 1;
                for (int p = 0; p < k; p++) {
                    double term = (double) a[PAD + (transposeA ? p * lda + i : i * lda + p)]
                            * b[PAD + (transposeB ? j * ldb + p : p * ldb + j)];
                    sum += term;
                    magnitude += Math.abs(term);
                }
                double expected = alpha * sum + beta * before[at];
                assertThat((double) c[at])
                        .as("%s at %d, %d", g, i, j)
                        .isCloseTo(expected, within(1e-6 * (magnitude + Math.abs(before[at]))));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void linearLayersAreRight(Kernels kernels) {
        for (int[] size : new int[][] {{1, 1, 1}, {5, 4, 64}, {33, 64, 2}, {256, 64, 64}, {7, 31, 97}}) {
            int rows = size[0];
            int in = size[1];
            int out = size[2];
            float[] x = random(rows * in);
            float[] weight = random(in * out);
            float[] bias = random(out);
            for (Activation activation : Activation.values()) {
                CpuArray result = array(new float[rows * out]);
                kernels.linear(0, rows / 2, in, out, array(x), array(weight), array(bias), activation, result);
                kernels.linear(
                        rows / 2, rows - rows / 2, in, out, array(x), array(weight), array(bias), activation, result);
                float[] y = contents(result);
                kernels.linear(0, rows, in, out, array(x), array(weight), null, Activation.NONE, result);
                float[] withoutBias = contents(result);
                for (int i = 0; i < y.length; i++) {
                    double sum = 0;
                    for (int p = 0; p < in; p++) {
                        sum += (double) x[i / out * in + p] * weight[p * out + i % out];
                    }
                    double expected = switch (activation) {
                        case NONE -> sum + bias[i % out];
                        case TANH -> Math.tanh(sum + bias[i % out]);
                        case RELU -> Math.max(0, sum + bias[i % out]);
                        case SIGMOID -> 1 / (1 + Math.exp(-sum - bias[i % out]));
                    };
                    assertThat((double) y[i]).isCloseTo(expected, within(2e-6 * (1 + in)));
                    assertThat((double) withoutBias[i]).isCloseTo(sum, within(2e-6 * (1 + in)));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void reductionsAreRight(Kernels kernels) {
        for (int reduced : SIZES) {
            for (int inner : new int[] {1, 2, 5, 16, 31, 64, 97}) {
                float[] x = random(PAD + reduced * inner);
                float[] sum = random(inner + PAD);
                float[] max = random(inner + PAD);
                kernels.reduce(ReduceOp.SUM, reduced, inner, x, PAD, sum, PAD);
                kernels.reduce(ReduceOp.MAX, reduced, inner, x, PAD, max, PAD);
                for (int i = 0; i < inner; i++) {
                    double total = 0;
                    double largest = Double.NEGATIVE_INFINITY;
                    for (int r = 0; r < reduced; r++) {
                        total += x[PAD + r * inner + i];
                        largest = Math.max(largest, x[PAD + r * inner + i]);
                    }
                    assertThat((double) sum[PAD + i]).isCloseTo(total, within(1e-5 * (1 + reduced)));
                    assertThat((double) max[PAD + i]).isEqualTo(largest);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void sumsOfSquaresAreRight(Kernels kernels) {
        for (int n : SIZES) {
            float[] x = random(PAD + n);
            double expected = 0;
            for (int i = 0; i < n; i++) {
                expected += (double) x[PAD + i] * x[PAD + i];
            }
            assertThat((double) kernels.sumOfSquares(x, PAD, n)).isCloseTo(expected, within(1e-6 * (1 + expected)));
        }
    }
}
