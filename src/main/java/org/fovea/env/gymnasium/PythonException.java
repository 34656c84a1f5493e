// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.io.Serial;

/** What an environment of Python raised. */
public final class PythonException extends RuntimeException {
    @Serial
    private static final long serialVersionUID = 1;

    private final String traceback;

    PythonException(String message, String traceback) {
        super(message, null, false, false);
        this.traceback = traceback;
    }

    /** Python's own report, of several lines, with the frames of the user's code. */
    public String traceback() {
        return traceback;
    }
}
