// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import org.fovea.env.gymnasium.PythonCommand;
import org.fovea.rl.rollout.EnvironmentPlace;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options about how environments are played, in commands that play some. */
class PlayOptions {
    /** Few enough to be started. */
    private static final int MAX_THREADS = 1024;

    @Option(
            names = "--python",
            paramLabel = "COMMAND",
            description = "The Python that has Gymnasium and the environment, for gym:ID (default: python3).")
    @Nullable
    String python;

    @Option(
            names = "--env-threads",
            paramLabel = "N",
            description =
                    "Threads that slow environments step on, of those that are written for one agent in Java (default: one"
                            + " per core; where runs are side by side, what is left for each). More help where environments"
                            + " wait. Changes speed, never results.")
    private @Nullable Integer environmentThreads;

    @Option(
            names = "--env-device",
            paramLabel = "WHERE",
            description =
                    "Where environments step: host, in Java; device, by kernels of the GPU, if the environment has one"
                            + " (fovea envs); auto, on the device where that can be (default: auto).")
    private String place = "auto";

    /** Where environments step. */
    final EnvironmentPlace place() {
        for (EnvironmentPlace each : EnvironmentPlace.values()) {
            if (each.name().toLowerCase(Locale.ROOT).equals(place)) {
                return each;
            }
        }
        throw new UsageException("--env-device must be auto, host or device, got " + place);
    }

    /**
     * How many threads environments step on.
     *
     * @param otherwise if none were asked for; 0 for one per core
     */
    final int environmentThreads(int otherwise) {
        if (environmentThreads == null) {
            return otherwise;
        }
        if (environmentThreads < 1 || environmentThreads > MAX_THREADS) {
            throw new UsageException("--env-threads must be from 1 to " + MAX_THREADS + ", got " + environmentThreads);
        }
        return environmentThreads;
    }

    /** Lets environments that are made from now on be played so. */
    final void apply() {
        // Before anything is made.
        environmentThreads(0);
        place();
        PythonCommand.replace(python);
    }
}
