package org.fovea.backend.cuda;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetName;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuDriverGetVersion;
import static jcuda.driver.JCudaDriver.cuGetErrorString;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import java.nio.charset.StandardCharsets;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.driver.JCudaDriver;
import org.fovea.backend.DeviceException;
import org.jspecify.annotations.Nullable;

/**
 * The device, its primary context and the one stream, used by the thread that opened it. Turns failing calls into
 * exceptions; after an error that a context can't recover from, the backend is lost and refuses further work.
 */
final class CudaContext {
    private final Thread owner = Thread.currentThread();
    private final CUdevice device = new CUdevice();
    private final CUstream stream = new CUstream();
    private final String deviceName;
    private final int architecture;
    private final int multiprocessors;
    private final int driverVersion;
    private String lastKernel = "none";
    private @Nullable DeviceException lostBy;
    private @Nullable DeviceException closeFailure;
    private boolean closed;

    CudaContext() {
        check(cuInit(0), "cuInit", "opening");
        check(cuDeviceGet(device, 0), "cuDeviceGet", "opening", "device", 0);
        deviceName = readName();
        architecture = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10
                + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        int[] version = new int[1];
        check(cuDriverGetVersion(version), "cuDriverGetVersion", "opening");
        driverVersion = version[0];
        CUcontext primary = new CUcontext();
        check(cuDevicePrimaryCtxRetain(primary, device), "cuDevicePrimaryCtxRetain", "opening");
        try {
            check(cuCtxSetCurrent(primary), "cuCtxSetCurrent", "opening");
            check(cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate", "opening");
        } catch (DeviceException e) {
            abandon();
            throw e;
        }
    }

    private String readName() {
        byte[] name = new byte[256];
        check(cuDeviceGetName(name, name.length, device), "cuDeviceGetName", "opening");
        int length = 0;
        while (length < name.length && name[length] != 0) {
            length++;
        }
        return new String(name, 0, length, StandardCharsets.US_ASCII);
    }

    private int attribute(int which) {
        int[] value = new int[1];
        check(cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute", "opening", "attribute", which);
        return value[0];
    }

    CUstream stream() {
        return stream;
    }

    /** Multiprocessors of the device. */
    int multiprocessors() {
        return multiprocessors;
    }

    String description() {
        return deviceName + ", sm_" + architecture + ", " + multiprocessors + " multiprocessors, CUDA "
                + driverVersion / 1000 + "." + driverVersion % 1000 / 10 + " driver";
    }

    /** Checks that the calling thread may use this device now. */
    void enter() {
        if (Thread.currentThread() != owner) {
            throw wrongThread();
        }
        if (closed) {
            throw new IllegalStateException("the cuda backend is closed");
        }
        if (lostBy != null) {
            throw new IllegalStateException("the cuda backend is lost; open a new one in a new process", lostBy);
        }
    }

    private IllegalStateException wrongThread() {
        return new IllegalStateException("the cuda backend belongs to thread '" + owner.getName()
                + "', which opened it, but was used from thread '"
                + Thread.currentThread().getName() + "'");
    }

    boolean isLost() {
        return lostBy != null;
    }

    boolean isUsable() {
        return !closed && lostBy == null;
    }

    void launched(String kernel) {
        lastKernel = kernel;
    }

    void synchronize(String operation) {
        check(cuStreamSynchronize(stream), "cuStreamSynchronize", operation);
    }

    /** Throws if {@code result} is an error. {@code detail} alternates names and values, put together only then. */
    void check(int result, String call, String operation, Object... detail) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure(result, call, operation, detail);
        }
    }

    /** For what is done while closing: after a loss every call fails, which is known and reported already. */
    void checkUnlessLost(int result, String call, String operation) {
        if (lostBy == null) {
            check(result, call, operation);
        }
    }

    /** For the calls that close: a failure does not keep the rest from being freed, {@link #close} throws the first one. */
    void checkClosing(int result, String call) {
        if (result != CUresult.CUDA_SUCCESS && lostBy == null && closeFailure == null) {
            closeFailure = failure(result, call, "close");
        }
    }

    /** The exception for a failed call; remembers an error that the context can't recover from. */
    DeviceException failure(int result, String call, String operation, Object... detail) {
        StringBuilder message = new StringBuilder(call).append(" failed in ").append(operation);
        for (int i = 0; i + 1 < detail.length; i += 2) {
            message.append(i == 0 ? " (" : ", ").append(detail[i]).append(' ').append(detail[i + 1]);
        }
        message.append(detail.length > 0 ? ")" : "").append(": ").append(describe(result));
        message.append("; last kernel ").append(lastKernel).append("; device ");
        message.append(deviceName == null ? "0" : deviceName);
        DeviceException failure = new DeviceException(message.toString(), result);
        if (isSticky(result) && lostBy == null) {
            lostBy = failure;
        }
        return failure;
    }

    static String describe(int result) {
        String[] text = new String[1];
        boolean known = cuGetErrorString(result, text) == CUresult.CUDA_SUCCESS && text[0] != null;
        return CUresult.stringFor(result) + (known ? " (" + text[0] + ")" : "");
    }

    /** Whether the context stays unusable after this error. */
    private static boolean isSticky(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
                    CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUresult.CUDA_ERROR_ASSERT,
                    CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
                    CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
                    CUresult.CUDA_ERROR_INVALID_PC,
                    CUresult.CUDA_ERROR_LAUNCH_FAILED,
                    CUresult.CUDA_ERROR_UNKNOWN -> true;
            default -> false;
        };
    }

    /** Checks the thread and starts to close; false if that was done before. */
    boolean beginClose() {
        if (closed) {
            return false;
        }
        if (Thread.currentThread() != owner) {
            throw wrongThread();
        }
        closed = true;
        return true;
    }

    /** The last step of closing. */
    void close() {
        checkClosing(cuStreamDestroy(stream), "cuStreamDestroy");
        checkClosing(cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
        if (closeFailure != null) {
            throw closeFailure;
        }
    }

    /** Gives the context back after opening failed; with its last user everything in it goes. */
    void abandon() {
        closed = true;
        cuDevicePrimaryCtxRelease(device);
    }

    /** Devices that the driver shows; or why it shows none. */
    static int deviceCount() {
        int result = cuInit(0);
        int[] count = new int[1];
        if (result == CUresult.CUDA_SUCCESS) {
            result = JCudaDriver.cuDeviceGetCount(count);
        }
        if (result == CUresult.CUDA_ERROR_NO_DEVICE) {
            return 0;
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw new DeviceException("the driver failed to start: " + describe(result), result);
        }
        return count[0];
    }
}
