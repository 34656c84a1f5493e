// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.fovea.backend.BackendSettings;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.run.Algorithm;

/**
 * The settings that {@code --set} was given.
 *
 * @param isHelp it asks what there is to set
 * @param hyperparameters decide the outcome of a run and are kept with it
 * @param backend about the device it happens to run on, and not kept
 */
record Settings(boolean isHelp, Map<String, String> hyperparameters, Map<String, String> backend) {
    static final String LABEL = "KEY=VALUE";

    private static final String HELP = "help";

    /** From the arguments of train: hyper-parameters, of whichever algorithm, and what concerns the backend. */
    static Settings ofTraining(String[] arguments) {
        Set<String> names = new LinkedHashSet<>();
        for (Algorithm algorithm : Algorithm.values()) {
            names.addAll(algorithm.hyperparameters());
        }
        names.addAll(BackendSettings.names());
        return parse(arguments, "hyper-parameter", List.copyOf(names));
    }

    /** From the arguments of a command that can set what concerns the backend only. */
    static Settings ofBackend(String[] arguments) {
        return parse(arguments, "setting", BackendSettings.names());
    }

    private static Settings parse(String[] arguments, String kind, List<String> names) {
        Settings settings =
                new Settings(List.of(arguments).contains(HELP), new LinkedHashMap<>(), new LinkedHashMap<>());
        if (settings.isHelp) {
            return settings;
        }
        for (String argument : arguments) {
            int equals = argument.indexOf('=');
            String name = (equals < 0 ? argument : argument.substring(0, equals)).strip();
            if (!names.contains(name)) {
                throw new UnknownNameException(kind, name, names);
            }
            if (equals < 0) {
                throw new UsageException("--set " + name + " lacks its value: --set " + name + "=VALUE");
            }
            boolean isBackends = BackendSettings.names().contains(name);
            (isBackends ? settings.backend : settings.hyperparameters)
                    .put(name, argument.substring(equals + 1).strip());
        }
        return settings;
    }
}
