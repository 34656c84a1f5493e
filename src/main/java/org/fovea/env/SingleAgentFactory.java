// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import org.fovea.env.EnvironmentSpec.Spaces;
import org.jspecify.annotations.Nullable;

/** Makes batches of an environment that is written for one agent, each instance once and none in vain. */
final class SingleAgentFactory implements EnvironmentFactory {
    private final String name;
    private final Supplier<? extends Environment> supplier;
    private @Nullable Spaces spaces;

    /** Made to learn the spaces, and not yet part of a batch. */
    private @Nullable Environment unused;

    /** @param name of the environment, for messages */
    SingleAgentFactory(String name, Supplier<? extends Environment> supplier) {
        this.name = name;
        this.supplier = supplier;
    }

    @Override
    public EnvironmentFactory named(String newName) {
        return new SingleAgentFactory(newName, supplier);
    }

    @Override
    public boolean stepsSingly() {
        return true;
    }

    @Override
    public synchronized List<VectorEnvironment> createAll(int... counts) {
        List<Environment> made = new ArrayList<>();
        Set<Environment> distinct = Collections.newSetFromMap(new IdentityHashMap<>());
        try {
            List<VectorEnvironment> batches = new ArrayList<>();
            for (int count : counts) {
                if (count < 1) {
                    throw new IllegalArgumentException("a batch needs at least 1 environment, not " + count);
                }
                int first = made.size();
                for (int i = 0; i < count; i++) {
                    Environment environment = takeOrMake();
                    if (!distinct.add(environment)) {
                        throw new InvalidEnvironmentException(name + ": its supplier returned the same instance twice;"
                                + " it has to make a new one each time, as MyEnvironment::new does");
                    }
                    made.add(environment);
                    requireSpaces(environment);
                }
                batches.add(new EnvironmentBatch(name, made.subList(first, made.size()), requireSpaces(made.get(0))));
            }
            return batches;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(distinct, failure);
            throw failure;
        }
    }

    private Environment takeOrMake() {
        Environment environment = unused;
        unused = null;
        return environment == null ? make() : environment;
    }

    private Environment make() {
        Environment environment;
        try {
            environment = supplier.get();
        } catch (Throwable thrown) {
            throw EnvironmentFailures.of(name, "its supplier", thrown);
        }
        if (environment == null) {
            throw new InvalidEnvironmentException(name + ": its supplier returned null");
        }
        return environment;
    }

    /** Its spaces, which must be those of every other instance. */
    private Spaces requireSpaces(Environment environment) {
        Space observations;
        Space actions;
        try {
            observations = environment.observationSpace();
        } catch (Throwable thrown) {
            throw EnvironmentFailures.of(name, "observationSpace", thrown);
        }
        try {
            actions = environment.actionSpace();
        } catch (Throwable thrown) {
            throw EnvironmentFailures.of(name, "actionSpace", thrown);
        }
        boolean masked;
        try {
            masked = environment.masksActions();
        } catch (Throwable thrown) {
            throw EnvironmentFailures.of(name, "masksActions", thrown);
        }
        Space observed = requireSpace("observationSpace", observations);
        Space acted = requireSpace("actionSpace", actions);
        Spaces found = EnvironmentFailures.named(name, () -> new Spaces(observed, acted, masked));
        if (spaces != null && !spaces.equals(found)) {
            throw new InvalidEnvironmentException(
                    name + ": one instance has " + found + ", another " + spaces + "; all must have the same");
        }
        spaces = found;
        return found;
    }

    private Space requireSpace(String method, @Nullable Space space) {
        if (space == null) {
            throw new InvalidEnvironmentException(name + ": " + method + " returned null");
        }
        if (space.size() < 1) {
            throw new InvalidEnvironmentException(
                    name + ": " + method + " returned " + space + ", which needs at least 1 element");
        }
        return space;
    }

    @Override
    public synchronized Spaces spaces() {
        if (spaces != null) {
            return spaces;
        }
        Environment environment = make();
        try {
            Spaces found = requireSpaces(environment);
            unused = environment;
            return found;
        } catch (Throwable failure) {
            EnvironmentFailures.closeAll(List.of(environment), failure);
            throw failure;
        }
    }

    @Override
    public synchronized void closeUnused() {
        Environment environment = unused;
        unused = null;
        if (environment != null) {
            try {
                environment.close();
            } catch (Throwable thrown) {
                throw EnvironmentFailures.of(name, "close", thrown);
            }
        }
    }
}
