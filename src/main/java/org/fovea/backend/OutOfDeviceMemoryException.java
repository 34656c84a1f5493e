package org.fovea.backend;

/** A device has no room for an array. The backend remains usable. */
public final class OutOfDeviceMemoryException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** An exception whose message says how much was asked for, held and free. */
    public OutOfDeviceMemoryException(String message) {
        super(message);
    }
}
