// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.io.BufferedInputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.concurrent.Callable;
import org.fovea.env.Environments;
import org.fovea.env.VectorEnvironment;
import org.fovea.env.gymnasium.EnvironmentServer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Plays environments for a program in Python. */
@Command(name = "serve-env", header = "Play environments for Python's Gymnasium: python/fovea/gymnasium.py calls this.")
final class ServeEnvironmentCommand implements Callable<Integer> {
    private final Terminal terminal;

    @Parameters(paramLabel = "NAME", description = "Environment, see fovea envs.")
    @SuppressWarnings("NullAway.Init")
    private String environment;

    @Option(names = "--envs", paramLabel = "N", description = "Environments side by side (default: 1).")
    private int count = 1;

    @Option(names = "--help", usageHelp = true, description = "Show this help.")
    private boolean help;

    ServeEnvironmentCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    @Override
    public Integer call() throws IOException {
        if (count < 1) {
            throw new UsageException("--envs must be at least 1, got " + count);
        }
        // What an environment prints is not for the program that reads the answers.
        System.setOut(System.err);
        VectorEnvironment batch = Environments.get(environment).create(count);
        try (OutputStream out = new FileOutputStream(FileDescriptor.out);
                InputStream in = new BufferedInputStream(new FileInputStream(FileDescriptor.in))) {
            new EnvironmentServer(batch, out).run(in);
        } finally {
            Failures.reportClosing(batch::close, terminal);
        }
        return 0;
    }
}
