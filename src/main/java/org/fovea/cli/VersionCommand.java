// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Optional;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.Backends;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Versions of Fovea, Java and the backends. */
@Command(name = "version", header = "Show the version, the virtual machine and the backends.")
final class VersionCommand implements Runnable {
    private final Terminal terminal;

    @Option(names = "--json", description = "Print one JSON object.")
    private boolean json;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    VersionCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public void run() {
        String version = Optional.ofNullable(Fovea.class.getPackage().getImplementationVersion())
                .orElse("(not from a jar)");
        String java = System.getProperty("java.version") + ", " + System.getProperty("java.vm.name") + ", "
                + System.getProperty("java.vendor");
        if (json) {
            Json backends = new Json();
            Backends.names().forEach(name -> backends.with(name, describe(name)));
            terminal.out()
                    .println(
                            new Json().with("fovea", version).with("java", java).with("backends", backends));
            return;
        }
        terminal.out().println("fovea    " + version);
        terminal.out().println("java     " + java);
        for (String name : Backends.names()) {
            terminal.out().println("backend  " + describe(name));
        }
    }

    private static String describe(String name) {
        try (Backend backend = Backends.open(name, 0).backend()) {
            return backend.description();
        } catch (BackendUnavailableException unavailable) {
            return String.valueOf(unavailable.getMessage());
        }
    }
}
