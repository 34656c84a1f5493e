// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** Arguments whose shapes do not fit together. The message names the operation and prints the shapes. */
public final class ShapeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /** An exception with {@code operation: detail} as its message. */
    public ShapeException(String operation, String detail) {
        super(operation + ": " + detail);
    }
}
