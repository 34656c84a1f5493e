// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.kernels.scalar.ScalarAttentionKernels;
import org.fovea.backend.cpu.kernels.vector.VectorAttentionKernels;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Softcap and dropout on a group of a tile, on vectors and in plain loops, against double precision and the definition. */
@Tag("vectors")
class PairKernelsTest {
    private static final int STRIDE = 64;
    private static final int KEYS = 77;
    private static final int PAIRS = KEYS * STRIDE;
    private static final float UNTOUCHED = -7.5f;

    private final Random random = new Random(3);

    static Stream<AttentionKernels> both() {
        return Stream.of(new ScalarAttentionKernels(), new VectorAttentionKernels());
    }

    /** A tile of several regions of pairs, and packed ones behind them. */
    private float[] tile(int regions) {
        float[] tile = new float[(regions + 2) * PAIRS];
        for (int i = 0; i < regions * PAIRS; i++) {
            tile[i] = (float) random.nextGaussian();
        }
        return tile;
    }

    private static double slope(double x, double cap) {
        double cosh = Math.cosh(x / cap);
        return 1 / (cosh * cosh);
    }

    private static void assertClose(String what, double actual, double expected, double scale) {
        assertThat(Double.compare(actual, expected) == 0 || Math.abs(actual - expected) <= 3e-7 * scale)
                .as("%s is %s, expected %s", what, actual, expected)
                .isTrue();
    }

    @ParameterizedTest
    @MethodSource("both")
    void scoresAreBentOverTheWholeRange(AttentionKernels kernels) {
        int lanes = kernels.lanes();
        for (float cap : new float[] {0x1p-60f, 1e-3f, 1, 72.1f, 0x1p60f}) {
            for (long bits = 0; bits < 0x7f800000L; bits += 20011L * lanes) {
                float[] tile = new float[3 * lanes];
                float[] x = new float[lanes];
                for (int i = 0; i < lanes; i++) {
                    x[i] = Float.intBitsToFloat((int) Math.min(bits + 20011L * i, 0x7f800000L)) * (i % 2 == 0 ? 1 : -1);
                }
                System.arraycopy(x, 0, tile, 0, lanes);
                kernels.pairs().softcap(cap, tile, 0, STRIDE, 1, 2 * lanes);
                for (int i = 0; i < lanes; i++) {
                    double tanh = Math.tanh((double) x[i] / cap);
                    // What is too small for a normal float32 beside the cap is bent to 0 or nearly so.
                    double size = Math.max(Math.abs(cap * tanh), cap * 1e-30);
                    assertClose("cap " + cap + " of " + x[i], tile[i], cap * tanh, size);
                    // Rounding of x is in proportion to x, and becomes a relative error of the exponential.
                    double tail = 2 / (1 + Math.exp(2 * Math.abs((double) x[i]) / cap));
                    double conditioned = tail * (4 + Math.abs((double) x[i]) / cap) + 1e-30;
                    assertClose("tail of " + x[i] + " / " + cap, Math.abs(tile[2 * lanes + i]), tail, conditioned);
                    assertThat(Math.signum(tile[2 * lanes + i]) * Math.signum(x[i]))
                            .isGreaterThanOrEqualTo(0);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void scoresThatAreNoNumbersStaySo(AttentionKernels kernels) {
        int lanes = kernels.lanes();
        float[] tile = new float[2 * lanes];
        Arrays.fill(tile, 0, lanes, Float.NaN);
        kernels.pairs().softcap(3, tile, 0, STRIDE, 1, lanes);
        assertThat(tile).containsOnly(Float.NaN);
    }

    @ParameterizedTest
    @MethodSource("both")
    void derivativesTakeTheSlopes(AttentionKernels kernels) {
        int lanes = kernels.lanes();
        PairKernels pairs = kernels.pairs();
        float cap = 1.3f;
        float[] tile = tile(4);
        float[] before = tile.clone();
        int tails = 4 * PAIRS;
        int slopeTangents = tails + KEYS * lanes;
        int lane = 64 - lanes;
        int hidden = lane + 5 * STRIDE + 1;
        tile[hidden] = Float.NaN;
        tile[2 * PAIRS + hidden] = 0;
        tile[3 * PAIRS + hidden] = 0;
        pairs.softcap(cap, tile, lane, STRIDE, KEYS, tails);
        pairs.softcapTangents(cap, tile, PAIRS + lane, STRIDE, KEYS, tails, slopeTangents);
        float[] alone = tile.clone();
        pairs.softcapGradients(alone, 2 * PAIRS + lane, STRIDE, KEYS, tails);
        pairs.softcapGradientTangents(tile, 2 * PAIRS + lane, 3 * PAIRS + lane, STRIDE, KEYS, tails, slopeTangents);
        for (int i = 0; i < PAIRS; i++) {
            if (i % STRIDE < lane) {
                for (int region = 0; region < 4; region++) {
                    assertThat(tile[region * PAIRS + i]).isEqualTo(before[region * PAIRS + i]);
                }
            } else if (i == hidden) {
                assertThat(tile[2 * PAIRS + i]).isZero();
                assertThat(tile[3 * PAIRS + i]).isZero();
                assertThat(alone[2 * PAIRS + i]).isZero();
            } else {
                double z = before[i];
                double g = slope(z, cap);
                double tangent = g * before[PAIRS + i];
                double moved = -2 * Math.tanh(z / cap) * tangent / cap;
                double gradient = before[2 * PAIRS + i];
                assertClose("S", tile[i], cap * Math.tanh(z / cap), 1);
                assertClose("T", tile[PAIRS + i], tangent, 3);
                assertClose("dZ", tile[2 * PAIRS + i], g * gradient, 3);
                assertClose("dZ alone", alone[2 * PAIRS + i], g * gradient, 3);
                assertClose("dZ.", tile[3 * PAIRS + i], g * before[3 * PAIRS + i] + moved * gradient, 10);
            }
        }
    }

    /** Bit for bit the definition's, from any key on, however many there are. */
    @ParameterizedTest
    @MethodSource("both")
    void droppedPairsAreThoseOfTheDefinition(AttentionKernels kernels) {
        int lanes = kernels.lanes();
        int margin = 3 * lanes;
        long[] seeds = {0, -1, 0x123456789abcdefL};
        double[] rates = {1e-9, 0.1, 0.5, 1 - 1e-12, 1};
        int[] firstKeys = {0, 1, 6, 31, 1 << 30};
        for (int n = 0; n < 60; n++) {
            AttentionSpec spec =
                    AttentionSpec.DEFAULT.withDropout(rates[random.nextInt(rates.length)], seeds[random.nextInt(3)]);
            int stream = random.nextInt(Integer.MAX_VALUE);
            int query = random.nextInt(1 << 30);
            int key = firstKeys[random.nextInt(firstKeys.length)];
            int keys = 1 + random.nextInt(150);
            float kept = (float) (1 / (1 - spec.dropout()));
            float[] factors = new float[keys * lanes + 4 * margin];
            Arrays.fill(factors, UNTOUCHED);
            int[] words = new int[(4 + 12 * random.nextInt(6)) * lanes];
            kernels.pairs()
                    .dropoutFactors(
                            spec.seed(),
                            stream,
                            query,
                            key,
                            keys,
                            (float) spec.dropout(),
                            kept,
                            words,
                            factors,
                            2 * margin);
            for (int j = 0; j < keys; j++) {
                for (int i = 0; i < lanes; i++) {
                    assertThat(factors[2 * margin + j * lanes + i])
                            .as("%s, query %d, key %d of stream %d", spec, query + i, key + j, stream)
                            .isEqualTo((float) spec.dropoutFactor(stream, query + i, key + j));
                }
            }
            for (int i = 0; i < margin; i++) {
                assertThat(factors[i]).isEqualTo(UNTOUCHED);
                assertThat(factors[factors.length - 1 - i]).isEqualTo(UNTOUCHED);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("both")
    void factorsMultiplyTheGroupAlone(AttentionKernels kernels) {
        int lanes = kernels.lanes();
        float[] tile = tile(2);
        float[] before = tile.clone();
        kernels.pairs().multiply(tile, lanes, STRIDE, KEYS, PAIRS);
        for (int i = 0; i < PAIRS; i++) {
            int lane = i % STRIDE - lanes;
            boolean mine = lane >= 0 && lane < lanes;
            float factor = mine ? before[PAIRS + i / STRIDE * lanes + lane] : 1;
            assertThat(tile[i]).isEqualTo(before[i] * factor);
        }
    }
}
