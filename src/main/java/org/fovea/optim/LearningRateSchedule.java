package org.fovea.optim;

/** Learning rate as a function of how far training has come. */
@FunctionalInterface
public interface LearningRateSchedule {

    /** The learning rate at {@code progress}, from 0 at the start to 1 at the end. */
    double at(double progress);

    /** The same all along. */
    static LearningRateSchedule constant(double learningRate) {
        return progress -> learningRate;
    }

    /** On a straight line from {@code first} to {@code last}; progress outside [0, 1] is clamped. */
    static LearningRateSchedule linear(double first, double last) {
        return progress -> first + (last - first) * Math.min(1, Math.max(0, progress));
    }
}
