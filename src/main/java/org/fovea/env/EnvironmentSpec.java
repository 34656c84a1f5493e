package org.fovea.env;

import java.util.OptionalDouble;
import java.util.function.IntFunction;

/**
 * A registered kind of environment.
 *
 * @param name such as {@code CartPole-v1}
 * @param summary one line
 * @param solvedAt mean return that counts as solved, if there is such a figure
 * @param factory makes a batch of so many environments
 */
public record EnvironmentSpec(
        String name, String summary, OptionalDouble solvedAt, IntFunction<VectorEnvironment> factory) {

    /** Makes a batch of {@code count} environments. */
    public VectorEnvironment create(int count) {
        return factory.apply(count);
    }
}
