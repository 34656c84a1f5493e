// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import org.fovea.backend.memory.ShapeException;
import org.fovea.env.UnknownNameException;

/** Something was asked for that cannot be; the message is one line for people. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }

    /** Where arguments are first used, an illegal one is the user's; its message is meant for people. */
    static <T, E extends Exception> T ifIllegal(Attempt<T, E> attempt) throws E {
        try {
            return attempt.run();
        } catch (ShapeException | UnknownNameException e) {
            throw e;
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()), e);
        }
    }

    interface Attempt<T, E extends Exception> {
        T run() throws E;
    }
}
