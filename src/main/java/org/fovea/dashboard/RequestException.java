// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

/** A request that is refused; the message is shown by the page. */
final class RequestException extends Exception {
    private static final long serialVersionUID = 1;

    private final int status;

    /** @param status of HTTP */
    RequestException(int status, String message) {
        super(message);
        this.status = status;
    }

    int status() {
        return status;
    }
}
