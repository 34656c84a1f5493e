// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/** A backend is unavailable on this machine or with these settings. The message is one line that says why and what to do. */
public final class BackendUnavailableException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Why, in one line. */
    public BackendUnavailableException(String reason) {
        super(reason);
    }

    /** Why, in one line, and what was behind it. */
    public BackendUnavailableException(String reason, Throwable cause) {
        super(reason, cause);
    }
}
