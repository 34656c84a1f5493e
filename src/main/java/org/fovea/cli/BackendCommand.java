// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.Callable;
import org.fovea.backend.Backend;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** A command that runs on a backend: options that choose and set it, and help on its settings. */
abstract class BackendCommand implements Callable<Integer> {
    final Terminal terminal;

    @ArgGroup(validate = false, heading = "%nWhere it runs:%n")
    BackendOptions device = new BackendOptions();

    @Option(
            names = "--set",
            paramLabel = Settings.LABEL,
            description = "Set something about the backend; --set help lists what there is.")
    private String[] settings = {};

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    BackendCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public final Integer call() throws IOException {
        Settings set = Settings.ofBackend(settings);
        if (set.isHelp()) {
            SettingsHelp.print(terminal);
            return 0;
        }
        return run(set.backend());
    }

    /**
     * Runs the command.
     *
     * @param backendSettings for {@link #open}
     * @return the exit code
     */
    abstract int run(Map<String, String> backendSettings) throws IOException;

    /** Opens the backend that the options choose. */
    final Backend open(Map<String, String> backendSettings) {
        return device.open(terminal, backendSettings);
    }
}
