// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.verify.AttentionCatalogue;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The reference's gradients of every order are derivatives of its forward, told by one infinitesimal more for each element of
 * each input: nothing of the formulas of the backward is used.
 */
class ReferenceDerivativesTest {
    private static final int INPUTS = 5;

    private final ReferenceBackend b = new ReferenceBackend();
    private final Random random = new Random(3);
    private Pair pair;

    @BeforeEach
    void open() {
        pair = new Pair(new ReferenceBackend(), b);
    }

    @AfterEach
    void close() {
        pair.close();
        pair.tested.close();
        b.close();
    }

    static Stream<AttentionFeatures> features() {
        AttentionSpec spec = AttentionSpec.DEFAULT.withCausal(AttentionSpec.Alignment.BOTTOM_RIGHT);
        AttentionShape shape = AttentionFeatures.shape(2, 2, 1, 2, 3, 2, 2);
        List<AttentionFeatures> all = new ArrayList<>(AttentionCatalogue.few().toList());
        for (AttentionSpec.Similarity similarity : AttentionSpec.Similarity.values()) {
            all.add(new AttentionFeatures(
                            similarity + " with everything",
                            shape,
                            spec.withSimilarity(similarity).withSoftcap(1.5).withDropout(0.2, 1))
                    .withBias(5)
                    .withMask(3)
                    .withSink()
                    .withAlibi()
                    .withSegments()
                    .withLengths(3, 2));
        }
        return all.stream();
    }

    /** The seven parts of a plane, as numbers. */
    private static final class Numbers {
        final double[][] parts = new double[7][];

        Numbers(AttentionFeatures f) {
            AttentionShape s = f.shape();
            long[] sizes = {
                s.querySize(),
                s.keySize(),
                s.valueSize(),
                f.biasSize(),
                f.sink() ? s.heads() : 0,
                s.outputSize(),
                s.logSumExpSize()
            };
            for (int i = 0; i < 7; i++) {
                parts[i] = new double[(int) sizes[i]];
            }
        }

        Numbers random(Random random) {
            for (double[] part : parts) {
                Arrays.setAll(part, i -> random.nextGaussian());
            }
            return this;
        }

        Numbers times(double factor) {
            for (double[] part : parts) {
                Arrays.setAll(part, i -> factor * part[i]);
            }
            return this;
        }

        double dot(Numbers x, int from, int to) {
            double sum = 0;
            for (int part = from; part < to; part++) {
                for (int i = 0; i < parts[part].length; i++) {
                    // A dead row's log-sum-exp is infinite and its derivatives are 0.
                    boolean alive = Double.isFinite(parts[part][i]) && Double.isFinite(x.parts[part][i]);
                    sum += alive ? parts[part][i] * x.parts[part][i] : 0;
                }
            }
            return sum;
        }
    }

    private AttentionPlane<DeviceArray> upload(
            Scope scope, AttentionFeatures f, Numbers x, boolean inputs, boolean outputs) {
        DeviceArray[] arrays = new DeviceArray[7];
        for (int i = 0; i < 7; i++) {
            boolean there = i < INPUTS ? inputs : outputs;
            if (there && !(i == 3 && f.bias() == AttentionFeatures.NONE) && !(i == 4 && !f.sink())) {
                arrays[i] = scope.allocate(DType.F64, x.parts[i].length);
                b.memory().upload(x.parts[i], 0, arrays[i]);
            }
        }
        return new AttentionPlane<>(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], arrays[5], arrays[6]);
    }

    private void download(DeviceArray from, double[] to) {
        if (from != null) {
            b.memory().download(from, to, 0);
        }
    }

    /** @param backward whether gradients of the inputs are wanted, besides output and log-sum-exp */
    private List<Numbers> series(AttentionProblem problem, SeriesRing ring, List<Numbers> arguments, boolean backward) {
        AttentionFeatures f = problem.features;
        try (Scope scope = b.memory().openScope()) {
            List<AttentionPlane<DeviceArray>> given = new ArrayList<>();
            List<AttentionPlane<DeviceArray>> wanted = new ArrayList<>();
            for (Numbers plane : arguments) {
                given.add(upload(scope, f, plane, true, true));
                wanted.add(upload(scope, f, new Numbers(f), backward, true));
            }
            b.attention().series(problem.on(b), ring, given, wanted);
            List<Numbers> results = new ArrayList<>();
            for (AttentionPlane<DeviceArray> plane : wanted) {
                Numbers numbers = new Numbers(f);
                download(plane.query(), numbers.parts[0]);
                download(plane.key(), numbers.parts[1]);
                download(plane.value(), numbers.parts[2]);
                download(plane.bias(), numbers.parts[3]);
                download(plane.sink(), numbers.parts[4]);
                download(plane.output(), numbers.parts[5]);
                download(plane.logSumExp(), numbers.parts[6]);
                results.add(numbers);
            }
            return results;
        }
    }

    private List<Numbers> random(AttentionFeatures features, int planes) {
        List<Numbers> x = new ArrayList<>();
        for (int plane = 0; plane < planes; plane++) {
            x.add(new Numbers(features).random(random));
        }
        return x;
    }

    @ParameterizedTest
    @MethodSource("features")
    void gradientsAreDerivativesOfTheForward(AttentionFeatures features) {
        AttentionProblem problem = new AttentionProblem(pair, features, 1);
        for (int variables = 0; variables <= 2; variables++) {
            SeriesRing ring = SeriesRing.infinitesimals(variables);
            List<Numbers> arguments = random(features, ring.planes());
            List<Numbers> gradients = series(problem, ring, arguments, true);
            for (int part = 0; part < INPUTS; part++) {
                for (int i = 0; i < arguments.get(0).parts[part].length; i++) {
                    checkDerivative(problem, ring, arguments, gradients, part, i);
                }
            }
        }
    }

    /** {@code phi = dO . O + dLSE . LSE}, of which the last variable's part is the derivative by the element. */
    private void checkDerivative(
            AttentionProblem problem,
            SeriesRing ring,
            List<Numbers> arguments,
            List<Numbers> gradients,
            int part,
            int i) {
        int planes = ring.planes();
        List<Numbers> moved = new ArrayList<>(arguments);
        for (int plane = 0; plane < planes; plane++) {
            moved.add(new Numbers(problem.features));
        }
        moved.get(planes).parts[part][i] = 1;
        SeriesRing wider = SeriesRing.infinitesimals(Integer.numberOfTrailingZeros(2 * planes));
        List<Numbers> outputs = series(problem, wider, moved, false);
        for (int plane = 0; plane < planes; plane++) {
            double slope = 0;
            for (int left = 0; left <= plane; left++) {
                if ((left & plane) == left) {
                    slope += arguments.get(left).dot(outputs.get(plane - left + planes), INPUTS, 7);
                }
            }
            assertThat(gradients.get(plane).parts[part][i])
                    .as("part %d, element %d, plane %d of %s", part, i, plane, problem.features)
                    .isCloseTo(slope, within(1e-11 * (1 + Math.abs(slope))));
        }
    }

    /** With t the sum of three infinitesimals, {@code t^k} is k! times each product of k of them. */
    @ParameterizedTest
    @MethodSource("features")
    void taylorSeriesAreThoseOfInfinitesimals(AttentionFeatures features) {
        AttentionProblem problem = new AttentionProblem(pair, features, 1);
        int[] factorial = {1, 1, 2, 6};
        List<Numbers> powers = random(features, 4);
        List<Numbers> sets = new ArrayList<>();
        for (int set = 0; set < 8; set++) {
            int k = Integer.bitCount(set);
            Numbers plane = new Numbers(features);
            for (int part = 0; part < 7; part++) {
                plane.parts[part] = powers.get(k).parts[part].clone();
            }
            sets.add(plane.times(factorial[k]));
        }
        List<Numbers> taylor = series(problem, SeriesRing.taylor(3), powers, true);
        List<Numbers> mixed = series(problem, SeriesRing.infinitesimals(3), sets, true);
        for (int set = 0; set < 8; set++) {
            int k = Integer.bitCount(set);
            taylor.get(k).times(factorial[k]);
            for (int part = 0; part < 7; part++) {
                assertThat(mixed.get(set).parts[part])
                        .as("part %d of plane %d", part, set)
                        .containsExactly(taylor.get(k).parts[part], within(1e-9));
            }
            taylor.get(k).times(1.0 / factorial[k]);
        }
    }

    /** The second derivative of phi is symmetric. */
    @ParameterizedTest
    @MethodSource("features")
    void doubleBackwardIsSymmetric(AttentionFeatures features) {
        AttentionProblem problem = new AttentionProblem(pair, features, 1);
        Numbers at = new Numbers(features).random(random);
        Numbers u = new Numbers(features).random(random);
        Numbers w = new Numbers(features).random(random);
        SeriesRing ring = SeriesRing.infinitesimals(1);
        Numbers alongU = series(problem, ring, List.of(at, u), true).get(1);
        Numbers alongW = series(problem, ring, List.of(at, w), true).get(1);
        assertThat(u.dot(alongW, 0, 7)).isCloseTo(w.dot(alongU, 0, 7), within(1e-11));
    }
}
