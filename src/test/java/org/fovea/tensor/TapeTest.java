// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.reference.ReferenceBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Recording, ownership and refusals of a tape. */
class TapeTest {
    private final Backend backend = new ReferenceBackend();

    @AfterEach
    void close() {
        backend.close();
    }

    @Test
    void endsEveryTensorMadeOnIt() {
        Tape tape = Tape.recording(backend);
        Tensor x = tape.variable(new double[] {1, 2, 3}, 3);
        Tensor y = x.exp().sum();
        DeviceArray memory = y.array();
        tape.close();
        tape.close();
        assertThat(memory.isAlive()).isFalse();
        assertThat(backend.memory().liveBytes()).isZero();
        assertThatThrownBy(y::array).isInstanceOf(IllegalStateException.class).hasMessageContaining("tape was closed");
        assertThatThrownBy(y::toDoubles).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> x.add(y)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> tape.zeros(2)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> tape.gradient(y, x)).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void leavesArraysOfOthersAlone() {
        DeviceArray array = backend.memory().allocate(backend.memory().floatType(), 4);
        try (Tape tape = Tape.recording(backend)) {
            assertThat(tape.variable(array, 2, 2).array()).isSameAs(array);
        }
        assertThat(array.isAlive()).isTrue();
        array.release();
    }

    @Test
    void inferenceRecordsNothing() {
        try (Tape tape = Tape.inference(backend)) {
            Tensor x = tape.variable(new double[] {1, 2}, 2);
            Tensor y = x.square().sum();
            assertThat(tape.nodeCount()).isZero();
            assertThat(y.item()).isEqualTo(5);
            assertThatThrownBy(() -> tape.gradient(y, x))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("Tape.recording");
        }
    }

    @Test
    void constantsAreNotRecorded() {
        try (Tape tape = Tape.recording(backend)) {
            Tensor constant = tape.constant(new double[] {1, 2}, 2);
            constant.exp()
                    .linear(tape.zeros(2, 3), tape.zeros(3), Activation.TANH)
                    .softmax()
                    .sum();
            assertThat(tape.nodeCount()).isZero();
            assertThatThrownBy(() -> tape.gradient(constant.sum(), constant))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("constant");
        }
    }

    @Test
    void plainGradientsLeaveNoNodesBehind() {
        try (Tape tape = Tape.recording(backend)) {
            Tensor x = tape.variable(new double[] {1, 2, 4, 3}, 2, 2);
            Tensor gain = tape.variable(new double[] {1, 2}, 2);
            Tensor loss = x.layerNorm(gain, gain, 1e-3f).square().sum();
            Tensor gradient = tape.gradient(loss, x, GradientMode.DIFFERENTIABLE);
            int nodes = tape.nodeCount();
            tape.gradients(List.of(gradient), List.of(x), List.of(x, gain));
            assertThat(tape.nodeCount()).isEqualTo(nodes);
        }
    }

    @Test
    void detachStopsGradients() {
        try (Tape tape = Tape.recording(backend)) {
            Tensor x = tape.variable(new double[] {3}, 1);
            Tensor gradient = tape.gradient(x.multiply(x.detach()).sum(), x);
            assertThat(gradient.toDoubles()).containsExactly(3);
        }
    }

    @Test
    void gradientsOfIntermediateTensorsAndOfUnusedOnes() {
        try (Tape tape = Tape.recording(backend)) {
            Tensor x = tape.variable(new double[] {2}, 1);
            Tensor unused = tape.variable(new double[] {1, 1}, 2);
            Tensor y = x.square();
            Tensor z = y.multiply(y).add(x).sum();
            List<Tensor> gradients = tape.gradients(List.of(z), List.of(tape.full(1)), List.of(y, x, unused));
            assertThat(gradients.get(0).toDoubles()).containsExactly(8);
            assertThat(gradients.get(1).toDoubles()).containsExactly(33);
            assertThat(gradients.get(2).toDoubles()).containsExactly(0, 0);
        }
    }

    @Test
    void refusesTensorsOfAnotherTapeAndWrongGradients() {
        try (Tape tape = Tape.recording(backend);
                Tape other = Tape.recording(backend)) {
            Tensor x = tape.variable(new double[] {1, 2}, 2);
            Tensor stranger = other.zeros(2);
            assertThatThrownBy(() -> x.add(stranger))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("another tape");
            assertThatThrownBy(() -> tape.gradient(x, x)).isInstanceOf(ShapeException.class);
            assertThatThrownBy(() -> tape.gradients(List.of(x.exp()), List.of(tape.zeros(3)), List.of(x)))
                    .isInstanceOf(ShapeException.class)
                    .hasMessageContaining("[2]")
                    .hasMessageContaining("[3]");
        }
    }

    /** One weight used twice, one once, a bias, a table, a gain, one not at all. */
    /**
     * Of a network with all that is fused on the way to parameters: activations whose outputs are used once and more often,
     * residuals, layer normalisation, rows put behind others and cut off again, two arrays turned at once.
     */
    @Test
    void gradientsThatAreFusedEqualThoseThatCanBeDifferentiated() {
        Parameters parameters = new Parameters(backend, 5);
        Initializer normal = Initializer.normal(1);
        Parameter[] weights = new Parameter[5];
        Parameter[] vectors = new Parameter[7];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = parameters.declare("weight" + i, normal, 4, 4);
        }
        for (int i = 0; i < vectors.length; i++) {
            vectors[i] = parameters.declare("vector" + i, normal, 4);
        }
        parameters.allocate();
        DeviceArray flat = parameters.newFlatArray();
        for (Activation activation : Activation.values()) {
            try (Tape tape = Tape.recording(backend)) {
                List<Tensor> w = List.of(weights).stream().map(tape::use).toList();
                List<Tensor> v = List.of(vectors).stream().map(tape::use).toList();
                Tensor x = tape.constant(numbers(2 * 3 * 4, 1), 2, 3, 4);
                Tensor first = x.linear(w.get(0), v.get(0), activation);
                Tensor second = first.linear(w.get(1), v.get(1), activation);
                Tensor residual = second.linear(w.get(2), v.get(2), first);
                Tensor before = tape.constant(numbers(2 * 2 * 4, 2), 2, 2, 4);
                Tensor all = Tensor.concat(1, List.of(before, residual)).layerNorm(v.get(3), v.get(4), 1e-3f);
                Tensor queries = all.slice(1, 2, 5).linear(w.get(3), v.get(5), Activation.NONE);
                Tensor keys = all.linear(w.get(4), v.get(6), Activation.NONE);
                List<Tensor> turned = Tensor.rotary(
                        queries,
                        tape.constantInts(new int[] {2, 3, 4, 2, 3, 4}, 2, 3),
                        keys,
                        tape.constantInts(new int[] {0, 1, 2, 3, 4, 0, 1, 2, 3, 4}, 2, 5),
                        2,
                        10);
                Tensor scores = turned.get(0).matmul(turned.get(1), false, true);
                List<Tensor> outputs = List.of(scores, residual);
                List<Tensor> given = List.of(
                        tape.constant(numbers(2 * 3 * 5, 3), 2, 3, 5), tape.constant(numbers(2 * 3 * 4, 4), 2, 3, 4));
                List<Parameter> declared = parameters.all();
                List<Tensor> differentiable = tape.gradients(
                        outputs, given, declared.stream().map(tape::use).toList(), GradientMode.DIFFERENTIABLE);
                tape.gradientsInto(outputs, given, parameters, flat);
                for (int i = 0; i < declared.size(); i++) {
                    double[] fused = new double[(int) declared.get(i).length()];
                    backend.memory().download(parameters.slotIn(flat, declared.get(i)), fused, 0);
                    assertThat(fused)
                            .as(activation + ", " + declared.get(i))
                            .containsExactly(differentiable.get(i).toDoubles(), within(1e-11));
                }
            }
        }
        flat.release();
        parameters.close();
    }

    private static double[] numbers(int count, int seed) {
        return new Random(seed).doubles(count, -1, 1).toArray();
    }

    @Test
    void gradientsIntoEqualsGradients() {
        Parameters parameters = new Parameters(backend, 3);
        Parameter table = parameters.declare("table", Initializer.normal(1), 5, 3);
        Parameter twice = parameters.declare("twice", Initializer.normal(1), 3, 3);
        Parameter bias = parameters.declare("bias", Initializer.normal(1), 3);
        Parameter gain = parameters.declare("gain", Initializer.normal(1), 3);
        Parameter unused = parameters.declare("unused", Initializer.normal(1), 17);
        Parameter once = parameters.declare("once", Initializer.normal(1), 3, 2);
        parameters.allocate();
        List<Parameter> used = List.of(table, twice, bias, gain, once);
        DeviceArray flat = parameters.newFlatArray();
        for (Parameter parameter : parameters.all()) {
            backend.memory().fill(parameters.slotIn(flat, parameter), 99);
        }
        try (Tape tape = Tape.recording(backend)) {
            Tensor y = tape.use(table)
                    .gatherRows(tape.constantInts(new int[] {1, 4, 1, 0}, 4))
                    .linear(tape.use(twice), tape.use(bias), Activation.TANH)
                    .layerNorm(tape.use(gain), tape.use(bias), 1e-5f)
                    .linear(tape.use(twice), null, Activation.SIGMOID)
                    .linear(tape.use(once), null, Activation.NONE);
            Tensor weights = tape.full(1.5, 4, 2);
            List<Tensor> inputs = used.stream().map(tape::use).toList();
            List<Tensor> expected = tape.gradients(List.of(y), List.of(weights), inputs);
            tape.gradientsInto(List.of(y), List.of(weights), parameters, flat);
            for (int i = 0; i < used.size(); i++) {
                assertThat(values(parameters.slotIn(flat, used.get(i))))
                        .as(used.get(i).name())
                        .containsExactly(expected.get(i).toDoubles(), within(1e-14));
            }
            assertThat(values(parameters.slotIn(flat, unused))).containsOnly(0);
            double total = 0;
            for (double value : values(flat)) {
                total += value == 0 ? 0 : 1;
            }
            assertThat(total).as("padding stays 0").isLessThanOrEqualTo(parameters.count());
        }
    }

    @Test
    void aTrainingStepAllocatesNothingAfterTheFirst() {
        try (Backend cpu = Backends.open("cpu", 1).backend()) {
            Parameters parameters = new Parameters(cpu, 3);
            Parameter weight = parameters.declare("weight", Initializer.orthogonal(1), 33, 17);
            Parameter bias = parameters.declare("bias", Initializer.zeros(), 17);
            parameters.allocate();
            DeviceArray flat = parameters.newFlatArray();
            long reserved = 0;
            for (int iteration = 0; iteration < 5; iteration++) {
                try (Tape tape = Tape.recording(cpu)) {
                    Tensor y = tape.full(0.5, 97, 33)
                            .linear(tape.use(weight), tape.use(bias), Activation.TANH)
                            .square();
                    tape.gradientsInto(List.of(y), List.of(tape.full(1, 97, 17)), parameters, flat);
                }
                if (iteration > 0) {
                    assertThat(cpu.memory().reservedBytes()).isEqualTo(reserved);
                }
                reserved = cpu.memory().reservedBytes();
            }
        }
    }

    private double[] values(DeviceArray array) {
        double[] values = new double[Math.toIntExact(array.length())];
        backend.memory().download(array, values, 0);
        return values;
    }
}
