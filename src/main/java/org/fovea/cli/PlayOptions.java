// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import org.fovea.env.gymnasium.PythonCommand;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options about how environments are played, in commands that play some. */
class PlayOptions {
    @Option(
            names = "--python",
            paramLabel = "COMMAND",
            description = "The Python that has Gymnasium and the environment, for gym:ID (default: python3).")
    @Nullable
    String python;

    /** Lets environments that are made from now on be played so. */
    final void apply() {
        PythonCommand.replace(python);
    }
}
