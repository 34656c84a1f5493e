// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.fovea.backend.Backend;
import org.fovea.backend.reference.ReferenceBackend;

/**
 * Compares derivatives with finite differences in float64, element by element. Order 1 checks the gradient of a random
 * projection of the function, order 2 the gradient of a random projection of that gradient, and so on.
 */
public final class GradientCheck {
    private static final double STEP = 2e-4;
    private static final double TOLERANCE = 2e-8;

    private final Function<List<Tensor>, List<Tensor>> function;
    private final List<int[]> shapes = new ArrayList<>();
    private final List<double[]> values = new ArrayList<>();
    private final Random random = new Random(20170612);

    private GradientCheck(Function<List<Tensor>, List<Tensor>> function) {
        this.function = function;
    }

    /** A check of a function of tensors. */
    public static GradientCheck of(Function<List<Tensor>, Tensor> function) {
        return new GradientCheck(inputs -> List.of(function.apply(inputs)));
    }

    /** A check of a function with several results. */
    public static GradientCheck ofSeveral(Function<List<Tensor>, List<Tensor>> function) {
        return new GradientCheck(function);
    }

    /** One more input with normal values. */
    public GradientCheck at(int... shape) {
        double[] elements = new double[Math.toIntExact(Shapes.length(shape))];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = random.nextGaussian();
        }
        return atValues(elements, shape);
    }

    /** One more input with values in [0.5, 2). */
    public GradientCheck atPositive(int... shape) {
        double[] elements = new double[Math.toIntExact(Shapes.length(shape))];
        for (int i = 0; i < elements.length; i++) {
            elements[i] = 0.5 + 1.5 * random.nextDouble();
        }
        return atValues(elements, shape);
    }

    /** One more input with the given values. */
    public GradientCheck atValues(double[] elements, int... shape) {
        shapes.add(shape);
        values.add(elements);
        return this;
    }

    /** Checks the derivatives of order 1 to {@code order}. */
    public void holdsToOrder(int order) {
        try (Backend backend = new ReferenceBackend()) {
            for (int k = 1; k <= order; k++) {
                check(backend, k);
            }
        }
    }

    private void check(Backend backend, int order) {
        List<double[]> gradients = new ArrayList<>();
        try (Tape tape = Tape.recording(backend)) {
            List<Tensor> inputs = inputs(tape);
            Tensor scalar = projection(tape, inputs, order - 1);
            List<Tensor> one = List.of(tape.full(1));
            List<Tensor> plain = tape.gradients(List.of(scalar), one, inputs);
            List<Tensor> differentiable = tape.gradients(List.of(scalar), one, inputs, GradientMode.DIFFERENTIABLE);
            for (int i = 0; i < inputs.size(); i++) {
                assertThat(plain.get(i).shape()).isEqualTo(shapes.get(i));
                gradients.add(plain.get(i).toDoubles());
                assertThat(differentiable.get(i).toDoubles())
                        .as("order %d, input %d: the differentiable gradient equals the plain one", order, i)
                        .containsExactly(gradients.get(i), within(1e-12));
            }
        }
        for (int i = 0; i < values.size(); i++) {
            for (int element = 0; element < values.get(i).length; element++) {
                double expected = difference(backend, order - 1, values.get(i), element);
                assertThat(gradients.get(i)[element])
                        .as("order %d, input %d, element %d", order, i, element)
                        .isCloseTo(expected, within(TOLERANCE * Math.max(1, Math.abs(expected))));
            }
        }
    }

    /** Central difference with an error of fourth order. */
    private double difference(Backend backend, int order, double[] elements, int element) {
        double x = elements[element];
        double[] projections = new double[4];
        int[] steps = {-2, -1, 1, 2};
        for (int i = 0; i < steps.length; i++) {
            elements[element] = x + steps[i] * STEP;
            try (Tape tape = Tape.recording(backend)) {
                projections[i] = projection(tape, inputs(tape), order).toDoubles()[0];
            }
        }
        elements[element] = x;
        return (projections[0] - 8 * projections[1] + 8 * projections[2] - projections[3]) / (12 * STEP);
    }

    /** A scalar of the function's derivatives of the given order, by weights that are the same at every call. */
    private Tensor projection(Tape tape, List<Tensor> inputs, int order) {
        Random weights = new Random(order);
        if (order == 0) {
            return weightedSum(tape, function.apply(inputs), weights);
        }
        Tensor lower = projection(tape, inputs, order - 1);
        List<Tensor> gradients =
                tape.gradients(List.of(lower), List.of(tape.full(1)), inputs, GradientMode.DIFFERENTIABLE);
        return weightedSum(tape, gradients, weights);
    }

    private static Tensor weightedSum(Tape tape, List<Tensor> tensors, Random weights) {
        Tensor sum = tape.full(0);
        for (Tensor tensor : tensors) {
            double[] factors = new double[Math.toIntExact(tensor.length())];
            for (int i = 0; i < factors.length; i++) {
                factors[i] = weights.nextGaussian();
            }
            sum = sum.add(
                    tensor.multiply(tape.constant(factors, tensor.shape())).sum());
        }
        return sum;
    }

    private List<Tensor> inputs(Tape tape) {
        List<Tensor> inputs = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            inputs.add(tape.variable(values.get(i), shapes.get(i)));
        }
        return inputs;
    }
}
