// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

/** A command failed for a reason that was foreseen; the message is one line for people. */
final class FailedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    FailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
