// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.env.gymnasium.GymnasiumName;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that say more of an environment than its name. */
final class EnvironmentOptions extends PlayOptions {
    @Option(
            names = "--env-arg",
            paramLabel = "KEY=VALUE",
            description =
                    "A parameter of the environment; of gym:ID one of gymnasium.make, a Python literal, true, false"
                            + " or a text. May be repeated.")
    private List<String> arguments = new ArrayList<>();

    @Option(
            names = "--env-wrapper",
            paramLabel = "MODULE:CLASS",
            description =
                    "Wrap an environment of Gymnasium, as in gymnasium.wrappers:FlattenObservation. May be repeated.")
    private List<String> wrappers = new ArrayList<>();

    /** The full name of an environment, which a run is saved with; null if none was given. */
    @Nullable
    String name(@Nullable String environment) {
        Map<String, String> parameters = new LinkedHashMap<>();
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            if (equals < 1) {
                throw new UsageException("--env-arg is KEY=VALUE, got '" + argument + "'");
            }
            if (parameters.put(argument.substring(0, equals), argument.substring(equals + 1)) != null) {
                throw new UsageException("--env-arg " + argument.substring(0, equals) + " is given twice");
            }
        }
        boolean isPythons = environment != null && GymnasiumName.isOne(environment);
        if (!wrappers.isEmpty() && !isPythons) {
            throw new UsageException("--env-wrapper is for environments of Gymnasium, --env gym:ID");
        }
        if (environment != null && isPythons) {
            try {
                return GymnasiumName.parse(environment)
                        .with(parameters, wrappers, python)
                        .toString();
            } catch (IllegalArgumentException e) {
                throw new UsageException(String.valueOf(e.getMessage()), e);
            }
        }
        if (parameters.isEmpty()) {
            return environment;
        }
        if (environment == null) {
            throw new UsageException("--env-arg needs --env NAME, the environment that has such a parameter");
        }
        return environment + (environment.contains(":") ? "," : ":") + String.join(",", arguments);
    }
}
