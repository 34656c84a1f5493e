// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** A device has no room for an array. The backend remains usable. */
public final class OutOfDeviceMemoryException extends DeviceException {
    private static final long serialVersionUID = 1L;

    /** The {@code CUresult} of that name, on every device. */
    private static final int OUT_OF_MEMORY = 2;

    /** An exception whose message says how much was asked for, held and free. */
    public OutOfDeviceMemoryException(String message) {
        super(message, OUT_OF_MEMORY);
    }
}
