// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * A call of a device's driver or library that failed. The message names the call, the operation with its shapes, and the
 * device.
 */
public class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    /** An exception with the error code of the driver or library, such as a {@code CUresult}. */
    public DeviceException(String message, int code) {
        super(message);
        this.code = code;
    }

    /** An exception that follows from an earlier one. */
    public DeviceException(String message, DeviceException cause) {
        super(message, cause);
        this.code = cause.code;
    }

    /** The error code of the driver or library. */
    public final int code() {
        return code;
    }
}
