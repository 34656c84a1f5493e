package org.fovea.env;

import java.util.List;
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
        return new EnvironmentSpec(name, summary, OptionalDouble.empty(), new EnvironmentFactory(name, supplier));
    }

    /** The same with a mean return that counts as solved. */
    public EnvironmentSpec withSolvedAt(double score) {
        return new EnvironmentSpec(name, summary, OptionalDouble.of(score), factory);
    }

    /** Makes a batch of {@code count} environments; see {@link #createAll}. */
    public VectorEnvironment create(int count) {
        return createAll(count).get(0);
    }

    /**
     * Makes a batch of so many environments for each count. Where one cannot be made, those that were are closed.
     *
     * @throws InvalidEnvironmentException if there is nothing to play in what the factory makes
     * @throws EnvironmentException if the factory fails
     */
    public List<VectorEnvironment> createAll(int... counts) {
        return factory instanceof EnvironmentFactory one
                ? one.createAll(counts)
                : CheckedBatch.createAll(name, factory, counts);
    }

    /**
     * What its observations and actions look like. To find out, an environment is made the first time; one that is
     * written for one agent is then the first that {@link #createAll} gives.
     */
    public Spaces spaces() {
        if (factory instanceof EnvironmentFactory one) {
            return one.spaces();
        }
        try (VectorEnvironment probe = create(1)) {
            return new Spaces(probe.observationSpace(), probe.actionSpace());
        }
    }

    /** Closes what {@link #spaces} made and nobody took since. */
    public void closeUnused() {
        if (factory instanceof EnvironmentFactory one) {
            one.closeUnused();
        }
    }

    /** What observations and actions look like. */
    public record Spaces(Space observations, Space actions) {}
}
