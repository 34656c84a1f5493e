// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Convolutions, sets and recurrent units against their definitions, in loops. */
class EncoderTest {
    private final Random random = new Random(3);

    private double[] numbers(int count) {
        return random.doubles(count, -1, 1).toArray();
    }

    /** Random values, biases too, which begin at 0. */
    private void disturb(Parameters parameters) {
        for (Parameter parameter : parameters.all()) {
            parameters.backend().memory().upload(numbers((int) parameter.length()), 0, parameter.value());
        }
    }

    private static double[] values(Parameters parameters, String name) {
        Parameter parameter = parameters.all().stream()
                .filter(p -> p.name().equals(name))
                .findFirst()
                .orElseThrow();
        double[] values = new double[(int) parameter.length()];
        parameters.backend().memory().download(parameter.value(), values, 0);
        return values;
    }

    /**
     * A patch's numbers come in the order that suits the product: rows and columns of squares of side {@code stride}, then
     * within the square, then channels.
     */
    @ParameterizedTest
    @CsvSource({"5, 7, 2, 3, 3, 1", "9, 8, 1, 2, 4, 2", "8, 8, 3, 4, 4, 4", "3, 3, 1, 1, 3, 1", "11, 10, 2, 2, 2, 1"})
    void convolutionIsASumOverPatches(int height, int width, int in, int out, int kernel, int stride) {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1)) {
            Convolution convolution = new Convolution(parameters, "c", in, out, kernel, stride);
            parameters.allocate();
            disturb(parameters);
            double[] x = numbers(2 * height * width * in);
            double[] weight = values(parameters, "c.weight");
            double[] bias = values(parameters, "c.bias");
            int rows = (height - kernel) / stride + 1;
            int columns = (width - kernel) / stride + 1;
            int side = kernel / stride;
            double[] expected = new double[2 * rows * columns * out];
            for (int i = 0; i < expected.length; i++) {
                int o = i % out;
                int column = i / out % columns;
                int row = i / out / columns % rows;
                int picture = i / out / columns / rows;
                double sum = bias[o];
                for (int dy = 0; dy < kernel; dy++) {
                    for (int dx = 0; dx < kernel; dx++) {
                        int square = dy / stride * side + dx / stride;
                        int within = dy % stride * stride + dx % stride;
                        for (int c = 0; c < in; c++) {
                            int pixel =
                                    ((picture * height + row * stride + dy) * width + column * stride + dx) * in + c;
                            sum += x[pixel] * weight[((square * stride * stride + within) * in + c) * out + o];
                        }
                    }
                }
                expected[i] = Math.max(0, sum);
            }
            try (Tape tape = Tape.inference(backend)) {
                Tensor y = convolution.apply(tape.constant(x, 2, height, width, in));
                assertThat(y.shape()).containsExactly(2, rows, columns, out);
                assertThat(y.toDoubles()).containsExactly(expected, offset(1e-12));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"1, 84, 84", "3, 36, 40", "1, 10, 5", "2, 5, 5", "4, 3, 9", "1, 2, 2", "1, 1, 1"})
    void picturesOfAnySizeAreEncoded(int channels, int height, int width) {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1)) {
            ImageEncoder encoder = new ImageEncoder(parameters, "i", channels, height, width, 7);
            parameters.allocate();
            try (Tape tape = Tape.inference(backend)) {
                double[] pixels = numbers(2 * channels * height * width);
                Tensor both = encoder.apply(tape.constant(pixels, 2, channels * height * width));
                assertThat(both.shape()).containsExactly(2, 7);
                // Each picture by itself, and every pixel of a small one matters.
                double[] first = Arrays.copyOf(pixels, pixels.length / 2);
                assertThat(encoder.apply(tape.constant(first, 1, first.length)).toDoubles())
                        .containsExactly(Arrays.copyOf(both.toDoubles(), 7), offset(1e-12));
            }
        }
    }

    private static SetEncoder set(Parameters parameters) {
        return new SetEncoder(parameters, "s", 5, 3, 2, TransformerSettings.of(8, 2));
    }

    /** What is behind the count makes no difference, nor does the order of what is before. */
    @Test
    void setsHaveNoOrderAndNothingBehindTheirCount() {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1)) {
            SetEncoder set = set(parameters);
            parameters.allocate();
            disturb(parameters);
            double[] things = numbers(15);
            double[] shuffled = numbers(15);
            for (int i = 0; i < 3; i++) {
                System.arraycopy(things, 3 * i, shuffled, 3 * ((i + 1) % 3), 3);
            }
            try (Tape tape = Tape.inference(backend)) {
                Tensor three = tape.constant(new double[] {3}, 1, 1);
                double[] encoded =
                        set.apply(tape.constant(things, 1, 15), three).whole().toDoubles();
                assertThat(set.apply(tape.constant(shuffled, 1, 15), three)
                                .whole()
                                .toDoubles())
                        .containsExactly(encoded, offset(1e-12));
                things[8] += 0.1;
                assertThat(set.apply(tape.constant(things, 1, 15), three)
                                .whole()
                                .toDoubles())
                        .isNotEqualTo(encoded);
            }
        }
    }

    /** The mean and the largest of what a set of the right size without room to spare is encoded by. */
    @Test
    void roomToSpareMakesNoDifference() {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1);
                Parameters exact = new Parameters(backend, 1)) {
            SetEncoder roomy = set(parameters);
            SetEncoder full = new SetEncoder(exact, "s", 2, 3, 2, TransformerSettings.of(8, 2));
            parameters.allocate();
            exact.allocate();
            disturb(parameters);
            backend.memory().copy(parameters.values(), exact.values());
            double[] things = numbers(15);
            try (Tape tape = Tape.inference(backend)) {
                Tensor two = tape.constant(new double[] {2}, 1, 1);
                assertThat(roomy.apply(tape.constant(things, 1, 15), two)
                                .whole()
                                .toDoubles())
                        .containsExactly(
                                full.apply(tape.constant(Arrays.copyOf(things, 6), 1, 6), two)
                                        .whole()
                                        .toDoubles(),
                                offset(1e-12));
            }
        }
    }

    @Test
    void aSetOfNothingIsZeros() {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1)) {
            SetEncoder set = set(parameters);
            parameters.allocate();
            disturb(parameters);
            try (Tape tape = Tape.inference(backend)) {
                assertThat(set.apply(tape.constant(numbers(15), 1, 15), tape.zeros(1, 1))
                                .whole()
                                .toDoubles())
                        .containsOnly(0);
            }
        }
    }

    @Test
    void aRecurrentUnitIsItsFormula() {
        int width = 3;
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 1)) {
            GruCell cell = new GruCell(parameters, "g", width);
            parameters.allocate();
            disturb(parameters);
            double[] x = numbers(width);
            double[] h = numbers(width);
            double[] w = values(parameters, "g.input.weight");
            double[] b = values(parameters, "g.input.bias");
            double[] u = values(parameters, "g.state.weight");
            double[] c = values(parameters, "g.state.candidate_bias");
            double[] expected = new double[width];
            for (int i = 0; i < width; i++) {
                double[] fromInput = new double[3];
                double[] fromState = new double[3];
                for (int gate = 0; gate < 3; gate++) {
                    fromInput[gate] = b[gate * width + i];
                    for (int j = 0; j < width; j++) {
                        fromInput[gate] += x[j] * w[j * 3 * width + gate * width + i];
                        fromState[gate] += h[j] * u[j * 3 * width + gate * width + i];
                    }
                }
                double r = 1 / (1 + Math.exp(-fromInput[0] - fromState[0]));
                double z = 1 / (1 + Math.exp(-fromInput[1] - fromState[1]));
                double n = Math.tanh(fromInput[2] + r * (fromState[2] + c[i]));
                expected[i] = (1 - z) * n + z * h[i];
            }
            try (Tape tape = Tape.inference(backend)) {
                Tensor next = cell.next(cell.contributions(tape.constant(x, 1, width)), tape.constant(h, 1, width));
                assertThat(next.toDoubles()).containsExactly(expected, offset(1e-12));
            }
        }
    }
}
