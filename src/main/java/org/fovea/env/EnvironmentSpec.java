package org.fovea.env;

import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.function.Supplier;

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

    /** An environment that is written for one agent; the supplier makes one instance a call. */
    public static EnvironmentSpec of(String name, String summary, Supplier<? extends Environment> supplier) {
        return new EnvironmentSpec(
                name, summary, OptionalDouble.empty(), count -> new EnvironmentBatch(supplier, count));
    }

    /** The same with a mean return that counts as solved. */
    public EnvironmentSpec withSolvedAt(double score) {
        return new EnvironmentSpec(name, summary, OptionalDouble.of(score), factory);
    }

    /** Makes a batch of {@code count} environments. */
    public VectorEnvironment create(int count) {
        return factory.apply(count);
    }
}
