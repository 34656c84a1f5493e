// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.fovea.backend.Backend;
import org.fovea.backend.reference.ReferenceBackend;

/** Shapes at random: broadcasting, folding and moving against loops over coordinates. */
class BroadcastPropertiesTest {

    /** A shape of up to four axes, and for each of two operands which axes it repeats and which leading ones it lacks. */
    record Case(int[] shape, int stretchA, int stretchB, int dropB, long seed) {
        int[] shapeA() {
            return stretched(stretchA);
        }

        int[] shapeB() {
            int[] full = stretched(stretchB);
            int drop = Math.min(dropB, full.length);
            return Arrays.copyOfRange(full, drop, full.length);
        }

        private int[] stretched(int mask) {
            int[] sizes = shape.clone();
            for (int i = 0; i < sizes.length; i++) {
                sizes[i] = (mask >> i & 1) == 1 ? 1 : sizes[i];
            }
            return sizes;
        }
    }

    @Provide
    Arbitrary<Case> cases() {
        Arbitrary<int[]> shapes = Arbitraries.integers()
                .between(1, 5)
                .array(int[].class)
                .ofMinSize(0)
                .ofMaxSize(4);
        return shapes.flatMap(shape -> Arbitraries.integers()
                .between(0, 15)
                .tuple2()
                .flatMap(masks -> Arbitraries.integers()
                        .between(0, 4)
                        .map(drop -> new Case(shape, masks.get1(), masks.get2(), drop, drop + 31L * masks.get1()))));
    }

    @Property(tries = 200)
    void binaryOperationsBroadcastAsCoordinatesSay(@ForAll("cases") Case c) {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            Random random = new Random(c.seed);
            Tensor a = variable(tape, random, c.shapeA());
            Tensor b = variable(tape, random, c.shapeB());
            Tensor y = a.subtract(b);
            int[] shape = Shapes.broadcast("test", c.shapeA(), c.shapeB());
            assertThat(y.shape()).isEqualTo(shape);
            double[] expected = new double[(int) y.length()];
            double[] repeatsOfB = new double[(int) b.length()];
            double[] valuesA = a.toDoubles();
            double[] valuesB = b.toDoubles();
            for (int i = 0; i < expected.length; i++) {
                int indexB = source(i, shape, c.shapeB());
                expected[i] = valuesA[source(i, shape, c.shapeA())] - valuesB[indexB];
                repeatsOfB[indexB]--;
            }
            assertThat(y.toDoubles()).containsExactly(expected);
            assertThat(tape.gradient(y.sum(), b).toDoubles()).containsExactly(repeatsOfB);
        }
    }

    @Property(tries = 200)
    void sumsAndMaximaOverAnyAxes(@ForAll("cases") Case c) {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            Tensor x = variable(tape, new Random(c.seed), c.shape);
            int[] folded = c.shapeA();
            int[] axes = IntStream.range(0, c.shape.length)
                    .filter(i -> (c.stretchA >> i & 1) == 1)
                    .toArray();
            if (axes.length == 0) {
                return;
            }
            double[] sums = new double[(int) Shapes.length(folded)];
            double[] maxima = new double[sums.length];
            Arrays.fill(maxima, Double.NEGATIVE_INFINITY);
            double[] values = x.toDoubles();
            for (int i = 0; i < values.length; i++) {
                int target = source(i, c.shape, folded);
                sums[target] += values[i];
                maxima[target] = Math.max(maxima[target], values[i]);
            }
            assertThat(x.sumKeepingAxes(axes).shape()).isEqualTo(folded);
            assertThat(x.sum(axes).rank()).isEqualTo(c.shape.length - axes.length);
            assertThat(x.sum(axes).toDoubles()).containsExactly(sums, within(1e-12));
            assertThat(x.max(axes).toDoubles()).containsExactly(maxima);
        }
    }

    @Property(tries = 100)
    void transpositionsAndSlicesUndoThemselves(@ForAll("cases") Case c) {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            Random random = new Random(c.seed);
            Tensor x = variable(tape, random, c.shape);
            int rank = c.shape.length;
            int[] order = new int[rank];
            int[] inverse = new int[rank];
            for (int i = 0; i < rank; i++) {
                order[i] = (i + c.dropB) % rank;
                inverse[order[i]] = i;
            }
            assertThat(x.transpose(order).transpose(inverse).toDoubles()).containsExactly(x.toDoubles());
            for (int axis = 0; axis < rank; axis++) {
                int cut = random.nextInt(c.shape[axis] + 1);
                Tensor rejoined =
                        Tensor.concat(axis, List.of(x.slice(axis, 0, cut), x.slice(axis, cut, c.shape[axis])));
                assertThat(rejoined.toDoubles()).containsExactly(x.toDoubles());
                assertThat(tape.gradient(rejoined.sum(), x).toDoubles()).containsOnly(1);
            }
        }
    }

    private static Tensor variable(Tape tape, Random random, int... shape) {
        return tape.variable(random.doubles(Shapes.length(shape)).toArray(), shape);
    }

    /** Where element {@code flat} of {@code shape} comes from in an array of shape {@code from} that is broadcast to it. */
    private static int source(int flat, int[] shape, int[] from) {
        int index = 0;
        int stride = 1;
        int rest = flat;
        for (int i = 1; i <= shape.length; i++) {
            int coordinate = rest % shape[shape.length - i];
            rest /= shape[shape.length - i];
            if (i <= from.length) {
                int size = from[from.length - i];
                index += size == 1 ? 0 : coordinate * stride;
                stride *= size;
            }
        }
        return index;
    }
}
