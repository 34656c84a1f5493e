// SPDX-License-Identifier: Apache-2.0
package org.fovea.optim;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.tensor.Parameters;

/**
 * Adam (Kingma and Ba 2014, arXiv:1412.6980) with clipping by global norm, over all parameters of a model at once. The
 * update and everything it needs stay on the device.
 */
public final class Adam implements AutoCloseable {
    private final Backend backend;
    private final AdamSettings settings;
    private final Parameters parameters;
    private final DeviceArray firstMoment;
    private final DeviceArray secondMoment;
    private final DeviceArray state;
    private final DeviceArray learningRate;

    /** An optimiser at step 0 for allocated {@code parameters}. */
    public Adam(Parameters parameters, AdamSettings settings, double learningRate) {
        this.backend = parameters.backend();
        this.settings = settings;
        this.parameters = parameters;
        this.firstMoment = parameters.newFlatArray();
        this.secondMoment = parameters.newFlatArray();
        this.state = backend.memory().allocate(backend.memory().floatType(), AdamSettings.STATE_SIZE);
        this.learningRate = state.slice(AdamSettings.LEARNING_RATE, 1);
        setLearningRate(learningRate);
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
        backend.rl().adam(settings, parameters.values(), gradients, firstMoment, secondMoment, state);
    }

    /** Global norm of the gradients of the last step, before clipping. Waits for the device. */
    public float gradientNorm() {
        float[] norm = new float[1];
        backend.memory().download(state.slice(AdamSettings.GRADIENT_NORM, 1), norm, 0);
        return norm[0];
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
    }
}
