// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** An operation that a backend does not have yet, named. */
public final class UnsupportedOnBackendException extends UnsupportedOperationException {
    private static final long serialVersionUID = 1L;

    /**
     * @param backend name of the backend, such as {@code cuda}
     * @param operation the operation that was asked for, such as {@code attention.backward}
     */
    public UnsupportedOnBackendException(String backend, String operation) {
        super(operation + " is not supported by " + backend + " yet"
                + (backend.equals("cpu") ? "" : "; use --backend cpu"));
    }
}
