package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.AttentionFeatures;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A bias by relative position is a dense one of the same numbers, without its memory. */
interface RelativeBiasContract extends ContractFixture {

    /** Two batch rows of four heads, a series of three coefficients: the gradients' last is the third derivative. */
    final class Case {
        private static final SeriesRing RING = SeriesRing.taylor(2);

        private final Backend b;
        private final Scope scope;
        private final AttentionShape shape = AttentionFeatures.shape(2, 4, 2, 6, 9, 3, 2);
        private final AttentionSpec spec =
                AttentionSpec.DEFAULT.withAlignment(Alignment.BOTTOM_RIGHT).withSoftcap(4);
        private final int[] lengths = {9, 4};
        private final int reach;
        private final Random random = new Random(3);
        private final List<AttentionPlane<DeviceArray>> arguments = new ArrayList<>();
        private final List<double[]> numbers = new ArrayList<>();

        Case(Backend b, Scope scope, int reach) {
            this.b = b;
            this.scope = scope;
            this.reach = reach;
            for (int k = 0; k < RING.planes(); k++) {
                arguments.add(new AttentionPlane<>(
                        array(gaussians(shape.querySize())),
                        array(gaussians(shape.keySize())),
                        array(gaussians(shape.valueSize())),
                        null,
                        null,
                        array(gaussians(shape.outputSize())),
                        array(gaussians(shape.logSumExpSize()))));
                numbers.add(gaussians(shape.heads() * (2L * reach + 1)));
            }
        }

        private double[] gaussians(long length) {
            return random.doubles(length, -1, 1).toArray();
        }

        private DeviceArray array(double[] values) {
            DeviceArray array = scope.allocate(b.memory().floatType(), values.length);
            b.memory().upload(values, 0, array);
            return array;
        }

        /** Which number is for a pair. */
        private int index(int batch, int head, int i, int j) {
            int ahead = j - (lengths[batch] - shape.queries() + i);
            return head * (2 * reach + 1) + reach + Math.max(-reach, Math.min(ahead, reach));
        }

        private double[] dense(double[] relative) {
            double[] dense = new double[(int) shape.logSumExpSize() * shape.keys()];
            for (int at = 0; at < dense.length; at++) {
                dense[at] = relative[indexOf(at)];
            }
            return dense;
        }

        /** The sums of a dense gradient over the pairs that share a number. */
        private double[] folded(double[] dense) {
            double[] folded = new double[numbers.get(0).length];
            for (int at = 0; at < dense.length; at++) {
                folded[indexOf(at)] += dense[at];
            }
            return folded;
        }

        private int indexOf(int at) {
            int row = at / shape.keys();
            int matrix = row / shape.queries();
            return index(matrix / shape.heads(), matrix % shape.heads(), row % shape.queries(), at % shape.keys());
        }

        /** Each part of each plane of the results; the gradient of the bias in the form of a relative one. */
        List<double[]> run(boolean relative) {
            List<AttentionPlane<DeviceArray>> biased = new ArrayList<>();
            List<AttentionPlane<DeviceArray>> results = new ArrayList<>();
            for (int k = 0; k < RING.planes(); k++) {
                AttentionPlane<DeviceArray> x = arguments.get(k);
                DeviceArray bias = array(relative ? numbers.get(k) : dense(numbers.get(k)));
                biased.add(new AttentionPlane<>(x.query(), x.key(), x.value(), bias, null, x.output(), x.logSumExp()));
                results.add(new AttentionPlane<>(
                        array(new double[(int) shape.querySize()]),
                        array(new double[(int) shape.keySize()]),
                        array(new double[(int) shape.valueSize()]),
                        array(new double[(int) bias.length()]),
                        null,
                        array(new double[(int) shape.outputSize()]),
                        array(new double[(int) shape.logSumExpSize()])));
            }
            AttentionPlane<DeviceArray> first = biased.get(0);
            ScoreBias<DeviceArray> term = relative
                    ? ScoreBias.relative(first.bias(), 1, shape.heads(), reach)
                    : new ScoreBias<>(first.bias(), 2, shape.heads(), shape.queries(), shape.keys());
            DeviceArray validKeys = scope.allocate(DType.I32, 2);
            b.memory().upload(lengths, 0, validKeys);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, first.query(), first.key(), first.value())
                    .withBias(term)
                    .withMask(AttentionMask.keyLengths(validKeys));
            b.attention().series(call, RING, biased, results);
            List<double[]> read = new ArrayList<>();
            for (AttentionPlane<DeviceArray> x : results) {
                for (DeviceArray part : List.of(x.query(), x.key(), x.value(), x.output(), x.logSumExp())) {
                    read.add(read(part));
                }
                read.add(relative ? read(x.bias()) : folded(read(x.bias())));
            }
            return read;
        }

        private double[] read(DeviceArray array) {
            double[] values = new double[(int) array.length()];
            b.memory().download(array, values, 0);
            return values;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3, 20})
    default void aRelativeBiasIsADenseOneOfTheSameNumbers(int reach) {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            Case c = new Case(b, scope, reach);
            List<double[]> relative = c.run(true);
            List<double[]> dense = c.run(false);
            for (int i = 0; i < relative.size(); i++) {
                assertThat(relative.get(i))
                        .as("part %d of plane %d", i % 6, i / 6)
                        .containsExactly(dense.get(i), within(1e-4));
            }
        }
    }

    @Test
    default void aMaskByRelativePositionIsRefused() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            AttentionShape shape = AttentionFeatures.shape(1, 1, 1, 1, 1, 1, 1);
            DeviceArray one = scope.allocate(b.memory().floatType(), 1);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, AttentionSpec.DEFAULT, one, one, one)
                    .withMask(AttentionMask.<DeviceArray>none().withScores(ScoreBias.relative(one, 1, 1, 0)));
            DeviceArray output = scope.allocate(b.memory().floatType(), 1);
            DeviceArray logSumExp = scope.allocate(b.memory().floatType(), 1);
            assertThatThrownBy(() -> b.attention().forward(call, new AttentionOutputs<>(output, logSumExp)))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("a mask only by query and key")
                    .hasMessageContaining("use a window");
        }
    }

    /** What the backend reserves for the gradient and for its tangent grows with the rows, not with their pairs. */
    @Test
    default void aRelativeBiasTakesNoMatrix() {
        int rows = 256;
        long matrix = (long) rows * rows * Float.BYTES;
        assertThat(reserved(rows, true) - reserved(rows, false)).isLessThan(matrix / 4);
    }

    private long reserved(int rows, boolean withBias) {
        AttentionShape shape = AttentionFeatures.shape(1, 1, 1, rows, rows, 1, 1);
        AttentionSpec spec = AttentionSpec.DEFAULT.withSoftcap(1);
        try (Backend b = open();
                Scope scope = b.memory().openScope()) {
            DeviceArray[] rowArrays = new DeviceArray[16];
            for (int i = 0; i < rowArrays.length; i++) {
                rowArrays[i] = scope.allocate(b.memory().floatType(), rows);
                b.memory().fill(rowArrays[i], 0.5);
            }
            DeviceArray numbers = scope.allocate(b.memory().floatType(), 2 * rows + 1);
            b.memory().fill(numbers, 0.5);
            ScoreBias<DeviceArray> bias = withBias ? ScoreBias.relative(numbers, 1, 1, rows) : null;
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, spec, rowArrays[0], rowArrays[1], rowArrays[2])
                    .withBias(bias);
            DeviceArray dBias = withBias ? scope.allocate(b.memory().floatType(), 2 * rows + 1) : null;
            AttentionPlane<DeviceArray> point = AttentionPlane.outputs(rowArrays[3], null);
            AttentionPlane<DeviceArray> tangent =
                    AttentionPlane.inputs(rowArrays[4], rowArrays[5], rowArrays[6], withBias ? numbers : null, null);
            AttentionPlane<DeviceArray> gradients = new AttentionPlane<>(
                    rowArrays[7], rowArrays[8], rowArrays[9], dBias, null, rowArrays[10], rowArrays[11]);
            b.attention()
                    .series(
                            call,
                            SeriesRing.infinitesimals(1),
                            List.of(point, tangent),
                            List.of(AttentionPlane.none(), gradients));
            b.synchronize();
            return b.memory().reservedBytes();
        }
    }
}
