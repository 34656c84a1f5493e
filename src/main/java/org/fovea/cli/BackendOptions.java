package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.env.UnknownNameException;
import org.jspecify.annotations.Nullable;
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
            description = "Worker threads; 0 is one per core. Changes speed, never results.")
    private @Nullable Integer threads;

    /** Opens the device with a thread per core, or says in one line why it cannot be had. */
    Backend open() {
        return open(0);
    }

    /** Opens the device, with so many threads unless asked for another number. */
    Backend open(int defaultThreads) {
        List<String> names = new ArrayList<>(List.of(Backends.AUTO));
        names.addAll(Backends.names());
        if (!names.contains(backend)) {
            throw new UnknownNameException("backend", backend, names);
        }
        int workers = threads == null ? defaultThreads : threads;
        if (workers < 0) {
            throw new UsageException("--threads must be 0 (one per core) or more, got " + workers);
        }
        try {
            return Backends.open(backend, workers).backend();
        } catch (IllegalStateException unavailable) {
            throw new UsageException(String.valueOf(unavailable.getMessage()), unavailable);
        }
    }
}
