// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.Serial;

/** An environment failed or broke its contract; the message names which one, when and how. */
public final class EnvironmentException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    /** With the exception that the environment threw. */
    public EnvironmentException(String message, Throwable cause) {
        super(message, cause);
    }

    /** With what was wrong. */
    public EnvironmentException(String message) {
        super(message);
    }
}
