// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import java.util.function.Function;
import java.util.stream.Stream;
import org.fovea.attention.Attention;
import org.fovea.backend.Backend;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Alignment;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.tensor.GradientCheck;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every layer's gradients against finite differences: of the parameters once, of the input to second order. */
class LayerGradientTest {
    private static final int[] SHAPE = {2, 3, 4};
    private static final double STEP = 1e-5;

    /** Declares a layer's parameters and returns what it computes. */
    private interface Layer extends Function<Parameters, Function<Tensor, Tensor>> {}

    private static Arguments layer(String name, Layer layer) {
        return Arguments.of(name, layer);
    }

    static Stream<Arguments> layers() {
        AttentionSpec causal = AttentionSpec.DEFAULT.withCausal(Alignment.TOP_LEFT);
        return Stream.of(
                layer("linear", p -> new Linear(p, "l", 4, 3, Initializer.normal(1), Activation.SIGMOID)::apply),
                layer("layer norm", p -> new LayerNorm(p, "l", 4)::apply),
                layer("mlp", p -> new Mlp(p, "l", new int[] {4, 5, 3}, Activation.TANH, 1)::apply),
                layer("learned positions", p -> PositionalEncoding.learned(p, "l", 5, 4)::addTo),
                layer("self-attention", p -> new SelfAttention(p, "l", 4, 2, Similarity.DOT, null)::forward),
                layer("cosine", p -> new SelfAttention(p, "l", 4, 2, Similarity.COSINE, null)::forward),
                layer("euclidean", p -> new SelfAttention(p, "l", 4, 2, Similarity.EUCLIDEAN, null)::forward),
                layer("rotary self-attention", p -> {
                    SelfAttention attention = new SelfAttention(p, "l", 4, 2, Similarity.DOT, RotaryEncoding.STANDARD);
                    return x -> attention.forward(x, causal, AttentionMask.none());
                }),
                layer("attention with a relative position bias", p -> {
                    RelativePositionBias bias = new RelativePositionBias(p, "l", 2, 1);
                    return x -> {
                        Tensor rows = x.reshape(1, 2, 3, 4);
                        return Attention.apply(bias.addTo(Attention.call(rows, rows, rows, causal)))
                                .output();
                    };
                }),
                layer("gated recurrent unit", p -> {
                    GruCell cell = new GruCell(p, "l", 4);
                    return x -> {
                        Tensor steps = cell.contributions(x);
                        Tensor state = x.slice(1, 0, 1).reshape(2, 4);
                        for (int step = 0; step < 3; step++) {
                            state = cell.next(steps.slice(1, step, step + 1).reshape(2, 12), state);
                        }
                        return state;
                    };
                }),
                layer("convolution", p -> {
                    Convolution convolution = new Convolution(p, "l", 2, 3, 2, 1);
                    return x -> convolution.apply(x.reshape(1, 3, 4, 2));
                }),
                layer("convolution by two pixels", p -> {
                    Convolution convolution = new Convolution(p, "l", 1, 3, 2, 2);
                    return x -> convolution.apply(x.reshape(1, 4, 6, 1));
                }),
                layer("set", p -> {
                    SetEncoder set = new SetEncoder(p, "l", 3, 4, 1, TransformerSettings.of(4, 2));
                    return x -> set.apply(x.reshape(2, 12), x.tape().constant(new double[] {3, 2}, 2, 1))
                            .whole();
                }),
                layer("block", p -> {
                    TransformerBlock block = new TransformerBlock(p, "l", TransformerSettings.of(4, 2));
                    return x -> block.forward(x, causal, AttentionMask.none());
                }),
                layer("gated block over a segment with memory", p -> {
                    TransformerBlock block = new TransformerBlock(
                            p, "l", TransformerSettings.of(4, 1).withGates(true));
                    return x -> block.forward(
                            x,
                            x.tape().full(0.5, 2, 1, 4).add(x.tape().constant(new double[] {1, -1, 3, 2}, 4)),
                            RotaryEncoding.positions(x.tape(), 2, 1, 3),
                            RotaryEncoding.positions(x.tape(), 2, 0, 4),
                            x.tape().constantInts(new int[] {0, 0, 1, 0, 0, 0}, 2, 3),
                            x.tape().constantInts(new int[] {0, 0, 0, 1, -1, 0, 0, 0}, 2, 4),
                            2);
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("layers")
    void ofTheInputToSecondOrder(String name, Layer layer) {
        GradientCheck.of(x -> {
                    Parameters parameters = new Parameters(x.get(0).tape().backend(), 5);
                    Function<Tensor, Tensor> function = layer.apply(parameters);
                    parameters.allocate();
                    return function.apply(x.get(0));
                })
                .at(SHAPE)
                .holdsToOrder(2);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("layers")
    void ofTheParameters(String name, Layer layer) {
        try (Backend backend = new ReferenceBackend();
                Parameters parameters = new Parameters(backend, 5)) {
            Function<Tensor, Tensor> function = layer.apply(parameters);
            parameters.allocate();
            double[] values = download(backend, parameters.values());
            DeviceArray flat = parameters.newFlatArray();
            double[] gradients;
            try (Tape tape = Tape.recording(backend)) {
                Tensor y = function.apply(input(tape));
                tape.gradientsInto(List.of(y), List.of(weights(tape, y.shape())), parameters, flat);
                gradients = download(backend, flat);
            }
            for (int i = 0; i < values.length; i++) {
                double value = values[i];
                values[i] = value + STEP;
                double above = weightedSum(backend, parameters, function, values);
                values[i] = value - STEP;
                double below = weightedSum(backend, parameters, function, values);
                values[i] = value;
                double expected = (above - below) / (2 * STEP);
                assertThat(gradients[i])
                        .as("element %d", i)
                        .isCloseTo(expected, within(1e-7 * Math.max(1, Math.abs(expected))));
            }
        }
    }

    private static double weightedSum(
            Backend backend, Parameters parameters, Function<Tensor, Tensor> function, double[] values) {
        backend.memory().upload(values, 0, parameters.values());
        try (Tape tape = Tape.inference(backend)) {
            Tensor y = function.apply(input(tape));
            return y.multiply(weights(tape, y.shape())).sum().toDoubles()[0];
        }
    }

    private static Tensor input(Tape tape) {
        return tape.constant(new Random(1).doubles(24).map(u -> 4 * u - 2).toArray(), SHAPE);
    }

    private static Tensor weights(Tape tape, int... shape) {
        int length = 1;
        for (int size : shape) {
            length *= size;
        }
        return tape.constant(new Random(2).doubles(length).map(u -> 4 * u - 2).toArray(), shape);
    }

    private static double[] download(Backend backend, DeviceArray array) {
        double[] values = new double[Math.toIntExact(array.length())];
        backend.memory().download(array, values, 0);
        return values;
    }
}
