// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import org.fovea.env.EnvironmentSpec;

/** Reads recorded episodes: {@code .jsonl} by {@link JsonLines}, {@code .npz} by {@link NumpyArrays}. */
public final class Recordings {
    private Recordings() {}

    /**
     * Reads a file.
     *
     * @param spaces of the environment that it was recorded in
     * @throws RecordingException if it can't be learned from, naming the line or array, and what was expected
     */
    public static Recording read(Path file, EnvironmentSpec.Spaces spaces) throws IOException {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".npz")) {
            return new NumpyArrays(file, spaces).read();
        }
        if (name.endsWith(".jsonl") || name.endsWith(".ndjson")) {
            return new JsonLines(file, spaces).read();
        }
        throw new RecordingException(file, "", "what it holds is told by its name, which must end in .jsonl or .npz");
    }
}
