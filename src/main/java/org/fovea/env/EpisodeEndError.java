// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.Serial;

/**
 * Thrown by {@link Decider} to end an episode from within: {@link CallbackEnvironment#run} has to let it pass, through
 * {@code finally} blocks if there is something to put in order. It is an {@link Error} so that {@code catch (Exception e)} does
 * not stop it; code that catches it must throw it again.
 */
public final class EpisodeEndError extends Error {
    @Serial
    private static final long serialVersionUID = 1;

    EpisodeEndError() {
        super("the episode has ended", null, false, false);
    }

    /** Whether it is this that ended {@code run}, itself or inside of another exception. */
    static boolean isCauseOf(Throwable thrown) {
        Throwable now = thrown;
        for (int depth = 0; now != null && depth < 100; depth++) {
            if (now instanceof EpisodeEndError) {
                return true;
            }
            now = now.getCause();
        }
        return false;
    }
}
