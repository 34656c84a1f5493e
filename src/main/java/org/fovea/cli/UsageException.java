// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

/** Something was asked for that cannot be; the message is one line for people. */
final class UsageException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }
}
