package org.fovea.backend;

/** A call of a device's driver that failed. The message names the call, the operation with its shapes, and the device. */
public final class DeviceException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    /** An exception with the driver's own error code, such as a {@code CUresult}. */
    public DeviceException(String message, int code) {
        super(message);
        this.code = code;
    }

    /** The driver's error code. */
    public int code() {
        return code;
    }
}
