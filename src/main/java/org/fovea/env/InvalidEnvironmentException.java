// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.Serial;

/** A registered environment that cannot be played: it has no space, or is one instance handed out twice. */
public final class InvalidEnvironmentException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1;

    /** With what is wrong. */
    public InvalidEnvironmentException(String message) {
        super(message);
    }
}
