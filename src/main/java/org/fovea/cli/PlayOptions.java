// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import org.fovea.env.StepTimeout;
import org.fovea.env.gymnasium.PythonCommand;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options about how environments are played, in commands that play some. */
class PlayOptions {
    @Option(
            names = "--python",
            paramLabel = "COMMAND",
            description = "The Python that has Gymnasium and the environment, for gym:ID (default: python3).")
    @Nullable String python;

    @Option(
            names = "--step-timeout",
            paramLabel = "SECONDS",
            description = "Seconds after which a step of an environment in Python counts as stuck, which ends the run; 0 for no"
                    + " limit (default: 60).")
    private double stepTimeout = StepTimeout.DEFAULT_SECONDS;

    /** Lets environments that are made from now on be played so. */
    final void apply() {
        if (!(stepTimeout >= 0)) {
            throw new UsageException("--step-timeout must be at least 0, got " + stepTimeout);
        }
        StepTimeout.set(stepTimeout);
        PythonCommand.replace(python);
    }
}
