package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.env.UnknownNameException;
import picocli.CommandLine.Option;

/** Which device to use. */
final class BackendOptions {
    @Option(
            names = "--backend",
            paramLabel = "NAME",
            defaultValue = Backends.AUTO,
            description = "auto, cpu or cuda (default: ${DEFAULT-VALUE}).")
    private String backend = Backends.AUTO;

    @Option(
            names = "--threads",
            paramLabel = "N",
            defaultValue = "0",
            description = "Worker threads; 0 is one per core. Changes speed, never results.")
    private int threads;

    /** Opens the device, or says in one line why it cannot be had. */
    Backend open() {
        List<String> names = new ArrayList<>(List.of(Backends.AUTO));
        names.addAll(Backends.names());
        if (!names.contains(backend)) {
            throw new UnknownNameException("backend", backend, names);
        }
        if (threads < 0) {
            throw new UsageException("--threads must be 0 (one per core) or more, got " + threads);
        }
        try {
            return Backends.open(backend, threads).backend();
        } catch (IllegalStateException unavailable) {
            throw new UsageException(String.valueOf(unavailable.getMessage()), unavailable);
        }
    }
}
