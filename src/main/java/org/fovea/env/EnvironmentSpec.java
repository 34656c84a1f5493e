// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.IntFunction;
import java.util.function.Supplier;

/**
 * A registered kind of environment: how it is made, and all that is known of it besides its rules.
 *
 * @param name such as {@code CartPole-v1}
 * @param summary one line
 * @param solvedAt mean return that counts as solved, if there is such a figure
 * @param references returns to compare a result with, best first
 * @param tuned settings of the trainer known to suit it, in the order in which they are applied
 * @param factory makes its batches
 */
public record EnvironmentSpec(
        String name,
        String summary,
        OptionalDouble solvedAt,
        List<ReferenceReturn> references,
        List<TunedSettings> tuned,
        EnvironmentFactory factory) {

    /** A return known of an environment: the optimum, for one, or that of random actions. */
    public record ReferenceReturn(String name, double meanReturn) {}

    /**
     * Settings under which an environment is learned well. They replace the trainer's own defaults ({@code Defaults} in
     * {@code org.fovea.rl.run}), which are meant for tasks of which nothing is known and hold for what is not named here.
     *
     * @param algorithm name of the one that they are for
     * @param policy name of the kind that they are for, empty for any
     * @param values {@code steps} of training, {@code envs} played side by side, and hyper-parameters, by name
     */
    public record TunedSettings(String algorithm, String policy, Map<String, String> values) {
        /** Whether they are meant for such a run. */
        public boolean isFor(String otherAlgorithm, String otherPolicy) {
            return algorithm.equals(otherAlgorithm) && (policy.isEmpty() || policy.equals(otherPolicy));
        }
    }

    /**
     * What observations and actions look like.
     *
     * @param masked whether some choices are forbidden in some states
     */
    public record Spaces(Space observations, Space actions, boolean masked) {
        /** Spaces in which every choice is always allowed. */
        public Spaces(Space observations, Space actions) {
            this(observations, actions, false);
        }

        /** @throws InvalidEnvironmentException if no policy can act in the action space */
        public Spaces {
            Schema schema = Schema.of(actions);
            schema.requireActions();
            Schema.of(observations).requireEntitiesOf(schema);
            if (masked && schema.choices().length == 0) {
                throw new InvalidEnvironmentException(
                        "masksActions() is true, but there is nothing to choose in the action space " + actions);
            }
        }
    }

    /** An environment that is written for one agent; the supplier makes one instance a call. */
    public static EnvironmentSpec of(String name, String summary, Supplier<? extends Environment> supplier) {
        return of(name, summary, new SingleAgentFactory(name, supplier));
    }

    /** An environment that is written for many agents; the factory makes a batch of a given number. */
    public static EnvironmentSpec ofBatches(String name, String summary, IntFunction<VectorEnvironment> factory) {
        return of(name, summary, new BatchFactory(name, factory));
    }

    private static EnvironmentSpec of(String name, String summary, EnvironmentFactory factory) {
        return new EnvironmentSpec(name, summary, OptionalDouble.empty(), List.of(), List.of(), factory);
    }

    /** The same with a mean return that counts as solved. */
    public EnvironmentSpec withSolvedAt(double score) {
        return new EnvironmentSpec(name, summary, OptionalDouble.of(score), references, tuned, factory);
    }

    /** The same with one more return to compare with. */
    public EnvironmentSpec withReference(String label, double meanReturn) {
        List<ReferenceReturn> all = added(references, new ReferenceReturn(label, meanReturn));
        return new EnvironmentSpec(name, summary, solvedAt, all, tuned, factory);
    }

    /** The same with {@link TunedSettings} for an algorithm and any policy. */
    public EnvironmentSpec withTuned(String algorithm, Map<String, String> values) {
        return withTuned(algorithm, "", values);
    }

    /** The same with {@link TunedSettings} for an algorithm and a policy, which win over what is said of any. */
    public EnvironmentSpec withTuned(String algorithm, String policy, Map<String, String> values) {
        List<TunedSettings> all = added(tuned, new TunedSettings(algorithm, policy, values));
        return new EnvironmentSpec(name, summary, solvedAt, references, all, factory);
    }

    /** {@link #references}, or else the score that counts as solved, if there is one. */
    public List<ReferenceReturn> comparisons() {
        return references.isEmpty() && solvedAt.isPresent()
                ? List.of(new ReferenceReturn("counts as solved", solvedAt.getAsDouble()))
                : references;
    }

    /** The same with a change, which is written behind its name. */
    public EnvironmentSpec wrapped(Wrapper wrapper) {
        String fullName = name + "+" + wrapper.text();
        boolean comparable = wrapper.keepsReturns();
        return new EnvironmentSpec(
                fullName,
                summary,
                comparable ? solvedAt : OptionalDouble.empty(),
                comparable ? references : List.of(),
                tuned,
                new WrappedFactory(fullName, factory.named(fullName), wrapper));
    }

    /** The same under another name. */
    public EnvironmentSpec withName(String newName) {
        return new EnvironmentSpec(newName, summary, solvedAt, references, tuned, factory.named(newName));
    }

    private static <T> List<T> added(List<T> list, T element) {
        List<T> all = new ArrayList<>(list);
        all.add(element);
        return List.copyOf(all);
    }

    /** Makes a batch of {@code count} environments; see {@link #createAll}. */
    public VectorEnvironment create(int count) {
        return createAll(count).get(0);
    }

    /**
     * Makes a batch of each number of environments. Where one cannot be made, those that were are closed.
     *
     * @throws InvalidEnvironmentException if there is nothing to play in what the factory makes
     * @throws EnvironmentException if the factory fails
     */
    public List<VectorEnvironment> createAll(int... counts) {
        return factory.createAll(counts);
    }

    /**
     * What its observations and actions look like. To find out, an environment is made the first time; one that is
     * written for one agent is then the first that {@link #createAll} gives.
     */
    public Spaces spaces() {
        return factory.spaces();
    }

    /** The kernel that can play it on a device, if it is a {@link BatchedEnvironment} that has one; what is wrapped has none. */
    public Optional<DeviceForm> deviceForm() {
        return Optional.ofNullable(factory.deviceForm());
    }

    /** Closes what {@link #spaces} made and nobody took since. */
    public void closeUnused() {
        factory.closeUnused();
    }
}
