// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Collection;
import java.util.List;

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
}
