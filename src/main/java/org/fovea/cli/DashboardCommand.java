// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.fovea.dashboard.Dashboard;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Shows runs in a browser. */
@Command(
        name = "dashboard",
        abbreviateSynopsis = true,
        header = "Show runs in a browser: curves, settings, and episodes with what the policy looks at.",
        description = {
            "Serves a page on this machine, for this machine alone, until it is interrupted.",
            "Runs that are being trained are shown as they grow."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  fovea dashboard runs", "  fovea dashboard runs --port 8080"})
final class DashboardCommand implements Callable<Integer> {
    private static final int DEFAULT_PORT = 6060;

    private final Terminal terminal;
    private final Interruption interruption;

    @Parameters(
            paramLabel = "RUNS_DIR",
            arity = "0..1",
            defaultValue = "runs",
            description = "Directory with runs in it, or of one run (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Path runs;

    @Option(
            names = "--port",
            paramLabel = "N",
            description = "Port (default: " + DEFAULT_PORT + ", or the next that is free; 0: any).")
    private @Nullable Integer port;

    @Option(
            names = "--bind",
            paramLabel = "ADDRESS",
            defaultValue = "127.0.0.1",
            description = "Address to serve at (default: ${DEFAULT-VALUE}). At any but the loopback interface pages are"
                    + " served to those who have the token that is printed.")
    @SuppressWarnings("NullAway.Init")
    private String bind;

    @Option(
            names = "--python",
            description =
                    "Play episodes also in environments of Python: they are started as a run's settings name them.")
    private boolean python;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    DashboardCommand(Terminal terminal, Interruption interruption) {
        this.terminal = terminal;
        this.interruption = interruption;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (!Files.isDirectory(runs)) {
            throw new UsageException("there is no directory " + runs + "; fovea train leaves its runs in runs/");
        }
        if (port != null && (port < 0 || port > 65_535)) {
            throw new UsageException("--port must be from 0 to 65535, got " + port);
        }
        InetAddress address;
        try {
            address = InetAddress.getByName(bind);
        } catch (UnknownHostException e) {
            throw new UsageException("--bind " + bind + " is no address of this machine");
        }
        try (Dashboard dashboard = start(address)) {
            terminal.out().println(dashboard.address());
            if (!address.isLoopbackAddress()) {
                terminal.notices()
                        .println("Whoever has this address with its token sees the runs, and can have episodes played;"
                                + " nothing is encrypted.");
            }
            terminal.notices().println("Ctrl-C ends it.");
            terminal.out().flush();
            return interruption.during("the dashboard", () -> "The runs are as they were", () -> {
                while (!interruption.requested()) {
                    pause();
                }
                return 0;
            });
        }
    }

    private static void pause() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Dashboard start(InetAddress address) throws IOException {
        int wanted = port == null ? DEFAULT_PORT : port;
        try {
            return Dashboard.start(new Dashboard.Settings(runs, address, wanted, python));
        } catch (BindException e) {
            int free = Dashboard.freePort(address, wanted);
            if (free == 0 || free == wanted) {
                throw new UsageException("cannot serve at " + bind + ":" + wanted + ": " + e.getMessage());
            }
            if (port != null) {
                throw new UsageException("port " + wanted + " is in use; port " + free + " is free: --port " + free);
            }
            terminal.notices().println("Port " + wanted + " is in use; the next that is free is " + free + ".");
            return Dashboard.start(new Dashboard.Settings(runs, address, free, python));
        }
    }
}
