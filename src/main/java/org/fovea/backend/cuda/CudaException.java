package org.fovea.backend.cuda;

/** A call of the CUDA driver that failed. The message names the call, the operation with its shapes, and the device. */
public final class CudaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int code;

    CudaException(String message, int code) {
        super(message);
        this.code = code;
    }

    /** The driver's {@code CUresult}. */
    public int code() {
        return code;
    }
}
