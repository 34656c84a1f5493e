// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.function.IntFunction;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.VectorEnvironment;

/** The three levels of each of POPGym's environments (Morad et al. 2023). */
enum Level {
    EASY("Easy"),
    MEDIUM("Medium"),
    HARD("Hard");

    private final String suffix;

    Level(String suffix) {
        this.suffix = suffix;
    }

    /** What this level has of something that differs between them. */
    int of(int easy, int medium, int hard) {
        return this == EASY ? easy : this == MEDIUM ? medium : hard;
    }

    /** What this level has of something that differs between them. */
    double of(double easy, double medium, double hard) {
        return this == EASY ? easy : this == MEDIUM ? medium : hard;
    }

    /** The environment of this level: {@code popgym-RepeatPreviousEasy-v0}. */
    EnvironmentSpec spec(String game, String summary, IntFunction<VectorEnvironment> factory) {
        return EnvironmentSpec.ofBatches("popgym-" + game + suffix + "-v0", summary, factory);
    }
}
