// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Environments of another jar, found at start through {@link java.util.ServiceLoader}: name the implementation in
 * {@code META-INF/services/org.fovea.env.EnvironmentProvider}.
 */
public interface EnvironmentProvider {

    /** What the jar offers. */
    Collection<EnvironmentSpec> environments();

    /** What it offers beside them, with parameters. */
    default Collection<EnvironmentFamily> families() {
        return List.of();
    }

    /**
     * The environment of a name that is in no list, such as {@code gym:CartPole-v1}; null if there is none. The same object each
     * time.
     *
     * @throws IllegalArgumentException if the name is meant to be one of its, and is not valid
     */
    default @Nullable EnvironmentSpec find(String name) {
        return null;
    }
}
