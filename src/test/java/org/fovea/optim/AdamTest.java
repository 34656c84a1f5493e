// SPDX-License-Identifier: Apache-2.0
package org.fovea.optim;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Adam over the parameters of a model, and learning rates. */
class AdamTest {
    private static final AdamSettings SETTINGS = new AdamSettings(0.9f, 0.999f, 1e-8f, Float.POSITIVE_INFINITY);

    private final Backend backend = new ReferenceBackend();
    private final Parameters parameters = new Parameters(backend, 1);
    private Parameter point;

    @BeforeEach
    void declare() {
        point = parameters.declare("point", Initializer.constant(1), 3);
        parameters.allocate();
    }

    @AfterEach
    void close() {
        backend.close();
    }

    /** From the paper: after one step the bias-corrected moments are g and g^2, so each element moves by the rate. */
    @Test
    void theFirstStepMovesEveryElementByTheLearningRate() {
        try (Adam adam = new Adam(parameters, SETTINGS, 0.25)) {
            adam.step(gradient(-5, 0.001, 3));
            assertThat(values()).containsExactly(new double[] {1.25, 0.75, 0.75}, within(1e-4));
        }
    }

    @Test
    void theLearningRateCanChange() {
        try (Adam adam = new Adam(parameters, SETTINGS, 0.25)) {
            adam.setLearningRate(0);
            adam.step(gradient(1, 1, 1));
            assertThat(values()).containsOnly(1);
            assertThatThrownBy(() -> adam.setLearningRate(Double.NaN)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> adam.setLearningRate(-1)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    /**
     * What torch.optim.AdamW(lr=0.1, weight_decay=0.5, eps=1e-8) of PyTorch 2 does of two parameters that begin as ones, the
     * second in a group without decay, with the same gradients.
     */
    @Test
    void weightsDecayAsInPyTorchAndBiasesDoNot() {
        try (Parameters model = new Parameters(backend, 1)) {
            Parameter weight = model.declare("weight", Initializer.constant(1), 1, 3);
            Parameter bias = model.declare("bias", Initializer.constant(1), 3);
            model.allocate();
            AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-8f, Float.POSITIVE_INFINITY, 0.5f);
            try (Adam adam = new Adam(model, settings, 0.1)) {
                double[][] gradients = {{0.3, -2, 0.01}, {-0.1, -1, 0.02}, {0.4, 3, -0.5}};
                for (double[] gradient : gradients) {
                    DeviceArray flat = model.newFlatArray();
                    backend.memory().upload(gradient, 0, model.slotIn(flat, weight));
                    backend.memory().upload(gradient, 0, model.slotIn(flat, bias));
                    adam.step(flat);
                }
                assertThat(values(weight))
                        .containsExactly(new double[] {0.659798172, 1.027984385, 0.735919223}, within(1e-6));
                assertThat(values(bias))
                        .containsExactly(new double[] {0.790672080, 1.185020283, 0.863968326}, within(1e-6));
            }
        }
    }

    @Test
    void findsTheMinimumOfAQuadratic() {
        try (Adam adam = new Adam(parameters, SETTINGS, 0.1)) {
            DeviceArray gradients = parameters.newFlatArray();
            for (int step = 0; step < 500; step++) {
                adam.setLearningRate(0.1 - 0.1 * step / 500);
                try (Tape tape = Tape.recording(backend)) {
                    Tensor target = tape.constant(new double[] {-1, 0.5, 2}, 3);
                    Tensor loss = tape.use(point).subtract(target).square().sum();
                    tape.gradientsInto(List.of(loss), List.of(tape.full(1)), parameters, gradients);
                }
                adam.step(gradients);
            }
            assertThat(values()).containsExactly(new double[] {-1, 0.5, 2}, within(1e-3));
        }
    }

    @Test
    void givesItsMemoryBack() {
        long before = backend.memory().liveBytes();
        new Adam(parameters, SETTINGS, 0.1).close();
        assertThat(backend.memory().liveBytes()).isEqualTo(before);
    }

    private DeviceArray gradient(double... elements) {
        DeviceArray flat = parameters.newFlatArray();
        backend.memory().upload(elements, 0, parameters.slotIn(flat, point));
        return flat;
    }

    private double[] values() {
        return values(point);
    }

    private double[] values(Parameter parameter) {
        double[] values = new double[3];
        backend.memory().download(parameter.value(), values, 0);
        return values;
    }
}
