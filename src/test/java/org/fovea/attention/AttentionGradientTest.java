// SPDX-License-Identifier: Apache-2.0
package org.fovea.attention;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.GradientCheck;
import org.fovea.tensor.GradientMode;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Derivatives of attention of first, second and third order. */
class AttentionGradientTest {
    private static final AttentionSpec BOTTOM_RIGHT_WINDOW =
            AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT).withWindow(1, 0);

    static Stream<AttentionSpec> specs() {
        return Stream.of(
                AttentionSpec.DEFAULT,
                AttentionSpec.DEFAULT.withScale(0.3f),
                AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT),
                AttentionSpec.DEFAULT.withCausal(Alignment.BOTTOM_RIGHT),
                AttentionSpec.DEFAULT.withWindow(1, 1),
                AttentionSpec.DEFAULT.withWindow(0, 2).withAlignment(Alignment.BOTTOM_RIGHT),
                BOTTOM_RIGHT_WINDOW);
    }

    @ParameterizedTest
    @MethodSource("specs")
    void outputAndLogSumExpToSecondOrder(AttentionSpec spec) {
        GradientCheck.ofSeveral(x -> both(x, spec))
                .at(1, 2, 2, 2)
                .at(1, 2, 3, 2)
                .at(1, 2, 3, 1)
                .holdsToOrder(2);
    }

    @Test
    void rowsFirstLayoutToThirdOrder() {
        GradientCheck.of(x -> Attention.apply(
                                Attention.call(x.get(0), x.get(1), x.get(2), BOTTOM_RIGHT_WINDOW, Layout.BNHD))
                        .output())
                .at(1, 2, 2, 1)
                .at(1, 3, 2, 1)
                .at(1, 3, 2, 2)
                .holdsToOrder(3);
    }

    @Test
    void segmentsAndLengthsWithARowThatSeesNothing() {
        GradientCheck.of(x -> {
                    Tape tape = x.get(0).tape();
                    AttentionMask<Tensor> mask = AttentionMask.segments(
                                    tape.constantInts(new int[] {0, 1, 1, 7}, 2, 2),
                                    tape.constantInts(new int[] {0, 0, 1, 3, 3, 7}, 2, 3))
                            .withKeyLengths(tape.constantInts(new int[] {3, 2}, 2));
                    return Attention.apply(Attention.call(x.get(0), x.get(1), x.get(2), AttentionSpec.DEFAULT)
                                    .withMask(mask))
                            .output();
                })
                .at(2, 1, 2, 2)
                .at(2, 1, 3, 2)
                .at(2, 1, 3, 2)
                .holdsToOrder(2);
    }

    @Test
    void oneTensorAsQueryKeyAndValue() {
        GradientCheck.of(x -> Attention.apply(x.get(0), x.get(0), x.get(0), AttentionSpec.DEFAULT))
                .at(1, 1, 3, 2)
                .holdsToOrder(3);
    }

    /** {@code <u, H w> = <w, H u>} for the Hessian of a scalar of attention's output. */
    @Test
    void hessianIsSymmetric() {
        Random random = new Random(7);
        double[] x = uniform(random, 2 * 3 * 13 * 5);
        double[] u = uniform(random, x.length);
        double[] w = uniform(random, x.length);
        double[] direction = uniform(random, x.length);
        try (Backend backend = new ReferenceBackend()) {
            double uHw = dot(u, hessianTimes(backend, x, direction, w));
            double wHu = dot(w, hessianTimes(backend, x, direction, u));
            assertThat(uHw).isCloseTo(wHu, within(1e-10 * Math.abs(wHu)));
            assertThat(Math.abs(uHw)).isGreaterThan(1e-3);
        }
    }

    private static double[] hessianTimes(Backend backend, double[] values, double[] direction, double[] vector) {
        int[] shape = {2, 3, 13, 5};
        try (Tape tape = Tape.recording(backend)) {
            Tensor x = tape.variable(values, shape);
            Tensor output =
                    Attention.apply(x, x.multiply(2), x.sin(), AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT));
            Tensor scalar = output.multiply(tape.constant(direction, shape)).sum();
            Tensor gradient = tape.gradient(scalar, x, GradientMode.DIFFERENTIABLE);
            return tape.gradients(List.of(gradient), List.of(tape.constant(vector, shape)), List.of(x))
                    .get(0)
                    .toDoubles();
        }
    }

    @Test
    void misfitsNameTheShapes() {
        try (Backend backend = new ReferenceBackend();
                Tape tape = Tape.recording(backend)) {
            Tensor query = tape.zeros(1, 2, 3, 4);
            Tensor key = tape.zeros(1, 2, 5, 6);
            assertThatThrownBy(() -> Attention.apply(query, key, key, AttentionSpec.DEFAULT))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("attention")
                    .hasMessageContaining("[1, 2, 3, 4]")
                    .hasMessageContaining("[1, 2, 5, 6]");
        }
    }

    private static List<Tensor> both(List<Tensor> x, AttentionSpec spec) {
        Attention.Result result = Attention.apply(Attention.call(x.get(0), x.get(1), x.get(2), spec));
        return List.of(result.output(), result.logSumExp());
    }

    private static double[] uniform(Random random, int length) {
        return random.doubles(length).map(x -> 2 * x - 1).toArray();
    }

    private static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }
}
