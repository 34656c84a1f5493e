// SPDX-License-Identifier: Apache-2.0
package org.fovea.policy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.Backends;
import org.fovea.env.Space;
import org.fovea.io.Checkpoint;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.SavedPolicy;

/**
 * A trained policy. It never changes and may be used by any number of threads, each with {@linkplain #newSession sessions} of its own.
 */
public final class Policy {
    private final SavedPolicy saved;
    private final Agent agent;

    private Policy(SavedPolicy saved, Agent agent) {
        this.saved = saved;
        this.agent = agent;
    }

    /**
     * Loads a policy.
     *
     * @param path a file that {@code fovea export --safetensors} wrote, or the directory of a run, whose last policy is taken; the best
     *     by its evaluations is in {@code best} in there
     * @throws org.fovea.io.CorruptFileException if it is damaged
     * @throws IOException if there is none, it is no policy, or of a newer version; the message says what to do
     */
    public static Policy load(Path path) throws IOException {
        if (!Files.exists(path)) {
            throw new NoSuchFileException(
                    path.toString(), null, "there is no policy file or run directory of that name");
        }
        SavedPolicy saved =
                Files.isDirectory(path) ? SavedPolicy.of(path, Checkpoint.load(path)) : SavedPolicy.read(path);
        try {
            return new Policy(saved, saved.createAgent(backend()));
        } catch (IOException | IllegalArgumentException e) {
            throw new IOException(path + " cannot be loaded as a policy: " + e.getMessage(), e);
        }
    }

    private static Backend backend() {
        // Backends are looked up by the thread's class loader, which in a server may know nothing of this one's.
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(Policy.class.getClassLoader());
        try {
            return Backends.open("cpu", BackendSettings.DEFAULT.withThreads(1)).backend();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    /** What it is shown. */
    public Space observationSpace() {
        return saved.spaces().observations();
    }

    /** What it gives. */
    public Space actionSpace() {
        return saved.spaces().actions();
    }

    /** Whether it is to be told which choices are allowed, see {@link PolicySession#act(float[], boolean[])}. */
    public boolean isMasked() {
        return saved.spaces().masked();
    }

    /** The kind of its network: {@code attention}, {@code gru} or {@code mlp}. */
    public String kind() {
        return saved.kind().toString();
    }

    /** Numbers that were learned. */
    public long parameterCount() {
        return saved.parameterCount();
    }

    /** Where it comes from, as far as it was noted: {@code environment}, {@code algorithm}, {@code trained_steps}. */
    public Map<String, String> notes() {
        return Map.copyOf(saved.notes());
    }

    /** A session of one environment, in the first step of an episode. */
    public PolicySession newSession() {
        return newSession(1);
    }

    /** A session of {@code batch} environments that act together. */
    public PolicySession newSession(int batch) {
        return newSession(batch, 0);
    }

    /**
     * The same with a seed for what is drawn: two sessions of one seed that are shown the same draw the same.
     *
     * @throws IllegalArgumentException if the batch is not at least 1
     */
    public PolicySession newSession(int batch, long seed) {
        if (batch < 1) {
            throw new IllegalArgumentException("a session is of at least 1 environment, not " + batch);
        }
        return new PolicySession(agent, saved.segmentSteps(), batch, seed);
    }

    @Override
    public String toString() {
        return kind() + " policy of " + parameterCount() + " parameters from " + observationSpace() + " to "
                + actionSpace();
    }
}
