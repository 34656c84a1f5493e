// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.ServiceLoader;
import java.util.function.Supplier;

/**
 * Every environment that can be named: the built-in ones, those of {@link EnvironmentProvider}s on the class path, those registered
 * by the program, and by the full names of their classes others on the class path.
 */
public final class Environments {
    private static final Map<String, EnvironmentFamily> FAMILIES = new LinkedHashMap<>();
    private static final EnvironmentClasses CLASSES = new EnvironmentClasses();
    private static final List<EnvironmentProvider> PROVIDERS = new ArrayList<>();
    private static boolean providersAsked;
    private static Optional<Throwable> providerFailure = Optional.empty();

    private Environments() {}

    /**
     * Registers an environment of one's own.
     *
     * @param name without spaces and {@code : , = +}, by convention ending in a version such as {@code -v0}
     * @param summary one line
     * @param supplier makes one instance a call
     * @throws IllegalArgumentException if the name is taken or not a name
     */
    public static void register(String name, String summary, Supplier<? extends Environment> supplier) {
        register(EnvironmentSpec.of(name, summary, supplier));
    }

    /**
     * Registers an environment of one's own, with what is known of it.
     *
     * @throws IllegalArgumentException if the name is taken or not a name
     */
    public static void register(EnvironmentSpec spec) {
        register(EnvironmentFamily.of(spec));
    }

    /**
     * Registers environments of one's own that differ in parameters.
     *
     * @throws IllegalArgumentException if the name is taken or not a name
     */
    public static synchronized void register(EnvironmentFamily family) {
        askProviders();
        String name = family.defaults().name();
        if (!name.matches("[^\\s:,=+]+")) {
            throw new IllegalArgumentException(
                    "'" + name + "' cannot name an environment: it is empty or has a space or one of : , = +");
        }
        if (FAMILIES.putIfAbsent(name, family) != null) {
            throw new IllegalArgumentException("environment '" + name + "' is already registered");
        }
    }

    /** Providers come first, but a broken one is reported where a name is looked for: that is where errors are shown. */
    private static void askProviders() {
        if (!providersAsked) {
            providersAsked = true;
            try {
                for (EnvironmentProvider provider : ServiceLoader.load(EnvironmentProvider.class)) {
                    provider.families().forEach(Environments::register);
                    provider.environments().forEach(Environments::register);
                    PROVIDERS.add(provider);
                }
            } catch (Throwable thrown) {
                providerFailure = Optional.of(thrown);
            }
        }
    }

    private static synchronized Map<String, EnvironmentFamily> families() {
        askProviders();
        if (providerFailure.isPresent()) {
            Throwable thrown = providerFailure.get();
            throw new EnvironmentException(
                    "an " + EnvironmentProvider.class.getSimpleName() + " on the class path failed: "
                            + EnvironmentFailures.describe(thrown),
                    thrown);
        }
        return FAMILIES;
    }

    /**
     * The environment of a name, which may carry parameters and {@link Wrapper}s, {@code
     * MemoryChain-v0:length=7+sticky_actions=0.25}, be that of one of Python's, {@code gym:CartPole-v1}, or of a class on the class
     * path: of an {@link Environment} with a constructor without parameters, or of a {@link VectorEnvironment} with one that takes the
     * number of environments.
     *
     * @throws UnknownNameException if there is no such environment, parameter or wrapper; it offers the nearest
     * @throws IllegalArgumentException if a parameter's value is not valid
     */
    public static synchronized EnvironmentSpec get(String name) {
        int plus = name.lastIndexOf('+');
        if (plus >= 0) {
            return get(name.substring(0, plus)).wrapped(Wrapper.of(name.substring(plus + 1)));
        }
        int colon = name.indexOf(':');
        String plainName = colon < 0 ? name : name.substring(0, colon);
        EnvironmentFamily family = families().get(plainName);
        for (EnvironmentProvider provider : PROVIDERS) {
            EnvironmentSpec found = family == null ? provider.find(name) : null;
            if (found != null) {
                return found;
            }
        }
        if (family == null) {
            EnvironmentSpec ofClass = CLASSES.find(plainName);
            if (ofClass == null) {
                throw new UnknownNameException(
                        "environment", plainName, families().keySet());
            }
            if (colon >= 0) {
                throw new IllegalArgumentException("the environment of the class " + plainName
                        + " has no parameters; register an EnvironmentFamily for that");
            }
            return ofClass;
        }
        return colon < 0 ? family.defaults() : family.with(name.substring(colon + 1));
    }

    /** One instance, to be stepped by hand; it can save its state if the environment can. */
    public static Environment make(String name) {
        return SingleEnvironment.of(get(name).create(1));
    }

    /** Every environment with its default parameters, in order of registration. */
    public static synchronized List<EnvironmentSpec> all() {
        return families().values().stream().map(EnvironmentFamily::defaults).toList();
    }
}
