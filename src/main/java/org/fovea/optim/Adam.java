// SPDX-License-Identifier: Apache-2.0
package org.fovea.optim;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Parameters;
import org.jspecify.annotations.Nullable;

/**
 * Adam (Kingma and Ba 2014, arXiv:1412.6980) with clipping by global norm, over all parameters of a model at once; with weight
 * decay, AdamW (Loshchilov and Hutter 2017, arXiv:1711.05101). Parameters of two and more axes decay: weights, but no biases, gains
 * or standard deviations. The update and everything it needs stay on the device.
 */
public final class Adam implements AutoCloseable {
    private final Backend backend;
    private final AdamSettings settings;
    private final Parameters parameters;
    private final DeviceArray firstMoment;
    private final DeviceArray secondMoment;
    private final DeviceArray state;
    private final @Nullable DeviceArray decayed;
    private final DeviceArray learningRate;

    /** An optimiser at step 0 for allocated {@code parameters}. */
    public Adam(Parameters parameters, AdamSettings settings, double learningRate) {
        this.backend = parameters.backend();
        this.settings = settings;
        this.parameters = parameters;
        this.firstMoment = parameters.newFlatArray();
        this.secondMoment = parameters.newFlatArray();
        this.state = backend.memory().allocate(backend.memory().floatType(), AdamSettings.STATE_SIZE);
        this.decayed = settings.weightDecay() == 0 ? null : decayed(parameters);
        this.learningRate = state.slice(AdamSettings.LEARNING_RATE, 1);
        setLearningRate(learningRate);
    }

    /** 1 where a parameter decays. */
    private static DeviceArray decayed(Parameters parameters) {
        DeviceArray flat = parameters.newFlatArray();
        for (Parameter parameter : parameters.all()) {
            if (parameter.shape().length > 1) {
                parameters.backend().memory().fill(parameters.slotIn(flat, parameter), 1);
            }
        }
        return flat;
    }

    /** That of the last step and of those that follow. Waits for the device. */
    public float learningRate() {
        return read(AdamSettings.LEARNING_RATE);
    }

    /** Changes the learning rate of the steps that follow. */
    public void setLearningRate(double rate) {
        if (!(rate >= 0) || Double.isInfinite(rate)) {
            throw new IllegalArgumentException("learning rate must be finite and not negative: " + rate);
        }
        backend.memory().fill(learningRate, rate);
    }

    /**
     * One step down {@code gradients}, an array laid out like {@link Parameters#values}. If their norm is not finite it
     * changes nothing, and neither does any later step, until {@link AdamSettings#SKIP} in the state is cleared.
     */
    public void step(DeviceArray gradients) {
        backend.rl().adam(settings, parameters.values(), gradients, decayed, firstMoment, secondMoment, state);
    }

    /** [1]: while it is not 0, steps change nothing. Set by a step whose gradients are not finite, or by the caller. */
    public DeviceArray stopFlag() {
        return state.slice(AdamSettings.SKIP, 1);
    }

    /** [1]: {@link #gradientNorm} on the device. */
    public DeviceArray lastGradientNorm() {
        return state.slice(AdamSettings.GRADIENT_NORM, 1);
    }

    /** Global norm of the gradients of the last step, before clipping. Waits for the device. */
    public float gradientNorm() {
        return read(AdamSettings.GRADIENT_NORM);
    }

    private float read(int index) {
        float[] number = new float[1];
        backend.memory().download(state.slice(index, 1), number, 0);
        return number[0];
    }

    /**
     * What a checkpoint keeps, by name: decaying means of the gradients and of their squares, laid out like the parameters,
     * and what changes from step to step, indexed by the constants of {@link AdamSettings}.
     */
    public Map<String, DeviceArray> persistent() {
        return Map.of("adam.first_moment", firstMoment, "adam.second_moment", secondMoment, "adam.state", state);
    }

    /** Releases the memory. */
    @Override
    public void close() {
        firstMoment.release();
        secondMoment.release();
        state.release();
        if (decayed != null) {
            decayed.release();
        }
    }
}
