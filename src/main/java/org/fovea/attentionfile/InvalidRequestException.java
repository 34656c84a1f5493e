// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

/** A request that can't be answered; the message is one line for people that names the tensor or option at fault. */
public final class InvalidRequestException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    InvalidRequestException(String message) {
        super(message);
    }

    InvalidRequestException(String message, Throwable cause) {
        super(message, cause);
    }
}
