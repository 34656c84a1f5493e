// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.fovea.env.EnvironmentProvider;
import org.fovea.env.EnvironmentSpec;
import org.jspecify.annotations.Nullable;

/** Knows every environment of Gymnasium by its {@link GymnasiumName}. */
public final class GymnasiumProvider implements EnvironmentProvider {
    /** One object for each name, since it may hold an environment that was made to learn its spaces. */
    private final Map<String, EnvironmentSpec> specs = new LinkedHashMap<>();

    @Override
    public Collection<EnvironmentSpec> environments() {
        return List.of();
    }

    @Override
    public synchronized @Nullable EnvironmentSpec find(String name) {
        if (!GymnasiumName.isOne(name)) {
            return null;
        }
        GymnasiumName parsed = GymnasiumName.parse(name);
        return specs.computeIfAbsent(
                parsed.toString(),
                full -> new EnvironmentSpec(
                        full,
                        "an environment of Python's Gymnasium",
                        OptionalDouble.empty(),
                        List.of(),
                        List.of(),
                        new GymnasiumFactory(full, parsed)));
    }
}
