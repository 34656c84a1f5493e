// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

/** A backend computed something wrong. The message says what, what was found, and what was expected. */
public final class WrongResultException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WrongResultException(String message) {
        super(message);
    }
}
