// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.fovea.env.EnvironmentException;
import org.fovea.env.EnvironmentFactory;
import org.fovea.env.EnvironmentSpec.Spaces;
import org.fovea.env.InvalidEnvironmentException;
import org.fovea.env.VectorEnvironment;
import org.jspecify.annotations.Nullable;

/** Makes batches of a Gymnasium environment, each played by some processes of Python: one for every core in all. */
final class GymnasiumFactory implements EnvironmentFactory {
    private final String name;
    private final GymnasiumName parsed;
    private @Nullable Spaces spaces;

    /** Started to learn the spaces, and not yet part of a batch. */
    private @Nullable PythonWorker unused;

    /** @param name for messages */
    GymnasiumFactory(String name, GymnasiumName parsed) {
        this.name = name;
        this.parsed = parsed;
    }

    @Override
    public EnvironmentFactory named(String newName) {
        return new GymnasiumFactory(newName, parsed);
    }

    @Override
    public synchronized Spaces spaces() {
        if (spaces == null) {
            PythonWorker worker = PythonWorker.start(name, parsed);
            try {
                learnSpaces(worker);
                unused = worker;
            } catch (RuntimeException e) {
                close(List.of(worker));
                throw e;
            }
        }
        return Objects.requireNonNull(spaces);
    }

    private Spaces learnSpaces(PythonWorker worker) {
        JsonNode json;
        try {
            json = worker.spaces();
        } catch (WorkerFailure e) {
            throw e.at(name);
        }
        Spaces found;
        try {
            found = new Spaces(
                    SpaceDescription.read(json.path("observation")),
                    SpaceDescription.read(json.path("action")),
                    json.path("masked").asBoolean());
        } catch (IllegalArgumentException e) {
            throw new InvalidEnvironmentException(name + ": " + e.getMessage());
        }
        if (spaces != null && !spaces.equals(found)) {
            throw new EnvironmentException(
                    name + ": one copy has " + found + ", another " + spaces + "; all must have the same");
        }
        spaces = found;
        return found;
    }

    @Override
    public synchronized List<VectorEnvironment> createAll(int... counts) {
        for (int count : counts) {
            if (count < 1) {
                throw new IllegalArgumentException("a batch needs at least 1 environment, not " + count);
            }
        }
        int perBatch = Math.max(1, Runtime.getRuntime().availableProcessors() / counts.length);
        List<PythonWorker> workers = new ArrayList<>();
        try {
            if (unused != null) {
                workers.add(unused);
                unused = null;
            }
            int known = workers.size();
            int needed = Arrays.stream(counts)
                    .map(count -> Math.min(count, perBatch))
                    .sum();
            // All at once: each takes its time to import what it needs.
            while (workers.size() < needed) {
                workers.add(PythonWorker.start(name, parsed));
            }
            for (PythonWorker worker : workers.subList(known, workers.size())) {
                learnSpaces(worker);
            }
            List<GymnasiumBatch> batches = new ArrayList<>();
            int next = 0;
            for (int count : counts) {
                int parts = Math.min(count, perBatch);
                List<PythonWorker> own = List.copyOf(workers.subList(next, next + parts));
                batches.add(new GymnasiumBatch(name, spaces(), own, count));
                next += parts;
            }
            batches.forEach(GymnasiumBatch::awaitStart);
            return List.copyOf(batches);
        } catch (RuntimeException | Error failure) {
            close(workers);
            throw failure;
        }
    }

    private static void close(List<PythonWorker> workers) {
        workers.forEach(PythonWorker::requestClose);
        workers.forEach(PythonWorker::close);
    }

    @Override
    public synchronized void closeUnused() {
        PythonWorker worker = unused;
        unused = null;
        if (worker != null) {
            worker.requestClose();
            WorkerFailure failure = worker.close();
            if (failure != null) {
                throw failure.at(name);
            }
        }
    }
}
