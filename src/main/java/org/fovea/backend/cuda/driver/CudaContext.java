// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static jcuda.driver.CUdevice_attribute.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetAttribute;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
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
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.IntSupplier;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.DeviceCalls;
import org.fovea.backend.memory.DeviceException;
import org.jspecify.annotations.Nullable;

/**
 * The device, its primary context and the one stream, used by the thread that opened it. Turns failing calls into
 * exceptions; after an error that a context can't recover from, the backend is lost and refuses further work. Knows what
 * was taken from the driver, so that closing, or an opening that fails half way, gives all of it back.
 */
public final class CudaContext {
    /** mma.sync on TF32 and bf16, and cp.async, begin with Ampere. */
    public static final int LEAST_ARCHITECTURE = 80;

    /** The context that driver calls of a thread go to. */
    private static final ThreadLocal<CudaContext> CURRENT = new ThreadLocal<>();

    private final Thread owner = Thread.currentThread();
    private final BackendSettings settings;
    private final Deque<Resource> resources = new ArrayDeque<>();
    private final CUdevice device = new CUdevice();
    private final CUcontext primary = new CUcontext();
    private final OwnStream stream = new OwnStream();
    private final InstalledDriver driver;
    private String deviceName;
    private int architecture;
    private int multiprocessors;
    private String lastKernel = "none";
    private long launches;
    private long waits;
    private long waitNanos;
    private @Nullable IdleTimer idle;
    private boolean capturing;
    private @Nullable DeviceException lostBy;
    private boolean closed;

    /** A stream that can tell its handle, which JCuda keeps to itself. */
    private static final class OwnStream extends CUstream {
        long handle() {
            return getNativePointer();
        }
    }

    /** Something to give back, and the call that does so. */
    private record Resource(String call, IntSupplier release) {}

    public CudaContext(BackendSettings settings) {
        this.settings = settings;
        deviceName = "device " + settings.device();
        driver = requireDriver();
        try {
            openDevice();
            openContext();
        } catch (RuntimeException e) {
            closeAfter(e);
            throw e;
        }
    }

    private InstalledDriver requireDriver() {
        int[] version = new int[1];
        check(cuDriverGetVersion(version), "cuDriverGetVersion", "opening");
        InstalledDriver installed = InstalledDriver.loaded(version[0]);
        KernelImage.Driver needed = KernelImage.leastDriver();
        if (!installed.isAtLeast(needed)) {
            throw new BackendUnavailableException("the NVIDIA driver is " + installed
                    + ", but the kernels of this build need " + needed + "; update the driver");
        }
        return installed;
    }

    private void openDevice() {
        int index = settings.device();
        int[] count = new int[1];
        int result = cuInit(0);
        if (result != CUresult.CUDA_ERROR_NO_DEVICE) {
            check(result, "cuInit", "opening");
            check(cuDeviceGetCount(count), "cuDeviceGetCount", "opening");
        }
        if (count[0] == 0) {
            throw new BackendUnavailableException(
                    "the NVIDIA driver shows no device; check nvidia-smi and CUDA_VISIBLE_DEVICES");
        }
        if (index >= count[0]) {
            throw new BackendUnavailableException("there is no device " + index + ", the last one is device "
                    + (count[0] - 1) + "; check --device, nvidia-smi and CUDA_VISIBLE_DEVICES");
        }
        check(cuDeviceGet(device, index), "cuDeviceGet", "opening", "device", index);
        deviceName = readName() + (count[0] > 1 ? " (device " + index + ")" : "");
        architecture = attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR) * 10
                + attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        if (architecture < LEAST_ARCHITECTURE) {
            throw new BackendUnavailableException(deviceName + " is of architecture sm_" + architecture
                    + "; Fovea's kernels need sm_" + LEAST_ARCHITECTURE + " or newer");
        }
        multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    }

    private void openContext() {
        check(cuDevicePrimaryCtxRetain(primary, device), "cuDevicePrimaryCtxRetain", "opening");
        owns("cuDevicePrimaryCtxRelease", () -> cuDevicePrimaryCtxRelease(device));
        makeCurrent("opening");
        check(cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING), "cuStreamCreate", "opening");
        owns("cuStreamDestroy", () -> cuStreamDestroy(stream));
    }

    private String readName() {
        byte[] name = new byte[256];
        check(cuDeviceGetName(name, name.length, device), "cuDeviceGetName", "opening");
        return text(name);
    }

    /** What comes before the zero. */
    static String text(byte[] characters) {
        int length = 0;
        while (length < characters.length && characters[length] != 0) {
            length++;
        }
        return new String(characters, 0, length, StandardCharsets.US_ASCII);
    }

    private int attribute(int which) {
        int[] value = new int[1];
        check(cuDeviceGetAttribute(value, which, device), "cuDeviceGetAttribute", "opening", "attribute", which);
        return value[0];
    }

    public CUstream stream() {
        return stream;
    }

    /** The stream as C has it, for libraries that take one. */
    public long streamHandle() {
        return stream.handle();
    }

    /** Multiprocessors of the device. */
    public int multiprocessors() {
        return multiprocessors;
    }

    public BackendSettings settings() {
        return settings;
    }

    /** Of products of floats, as kernel parameters number it. */
    public int precision() {
        return settings.precision().ordinal();
    }

    InstalledDriver driver() {
        return driver;
    }

    /** Such as 86 for compute capability 8.6. */
    public int architecture() {
        return architecture;
    }

    public String description() {
        return deviceName + ", sm_" + architecture + ", " + multiprocessors + " multiprocessors, CUDA "
                + dotted(driver.version()) + " driver";
    }

    /** A CUDA version such as 12040 as people write it. */
    static String dotted(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    /** Remembers how to give back what was just taken. Closing does so in the reverse order. */
    public void owns(String call, IntSupplier release) {
        resources.push(new Resource(call, release));
    }

    /** Checks that the calling thread may use this device now. */
    public void enter() {
        if (Thread.currentThread() != owner) {
            throw wrongThread();
        }
        if (closed) {
            throw new IllegalStateException("the cuda backend is closed");
        }
        if (lostBy != null) {
            throw new DeviceException(
                    "the cuda backend is lost, open a new one in a new process: " + lostBy.getMessage(), lostBy);
        }
        if (CURRENT.get() != this) {
            makeCurrent("turning to another device");
        }
    }

    private void makeCurrent(String operation) {
        check(cuCtxSetCurrent(primary), "cuCtxSetCurrent", operation);
        CURRENT.set(this);
    }

    private IllegalStateException wrongThread() {
        return new IllegalStateException("the cuda backend belongs to thread '" + owner.getName()
                + "', which opened it, but was used from thread '"
                + Thread.currentThread().getName() + "'");
    }

    public boolean isLost() {
        return lostBy != null;
    }

    boolean isUsable() {
        return !closed && lostBy == null;
    }

    /** Notes the launch of a kernel, or of a graph. */
    void launched(String kernel) {
        lastKernel = kernel;
        launches++;
    }

    /** Says whether what is issued is only recorded. */
    void capturing(boolean now) {
        capturing = now;
    }

    /** To be called before each launch and upload. */
    void issuing() {
        if (idle != null && !capturing && idle.isWaiting()) {
            long start = System.nanoTime();
            idle.resumed();
            waitNanos += System.nanoTime() - start;
        }
    }

    public void synchronize(String operation) {
        long start = System.nanoTime();
        if (idle != null) {
            idle.draining();
        }
        check(cuStreamSynchronize(stream), "cuStreamSynchronize", operation);
        if (idle != null) {
            idle.drained();
        }
        waitNanos += System.nanoTime() - start;
        waits++;
    }

    /** Lets {@link #calls} tell from now on for how long the device was idle. */
    public void measureIdleTime() {
        if (idle == null) {
            idle = new IdleTimer(this);
        }
    }

    /** What was asked of the device since it was opened. */
    public DeviceCalls calls() {
        return new DeviceCalls(launches, waits, waitNanos, idle == null ? 0 : idle.nanos());
    }

    /** Takes back launches that were only recorded. */
    void recorded(DeviceCalls before) {
        launches = before.launches();
    }

    /** Throws if {@code result} is an error. {@code detail} alternates names and values, put together only then. */
    public void check(int result, String call, String operation, Object... detail) {
        if (result != CUresult.CUDA_SUCCESS) {
            throw failure(result, call, operation, detail);
        }
    }

    /** For what gives something back: after a loss every call fails, which is known and reported already. */
    public void checkUnlessLost(int result, String call, String operation) {
        if (lostBy == null) {
            check(result, call, operation);
        }
    }

    /** The exception for a failed call of the driver; remembers an error that the context can't recover from. */
    DeviceException failure(int result, String call, String operation, Object... detail) {
        return failure(describe(result), result, isSticky(result), call, operation, detail);
    }

    /** The exception for a failed call of the driver or of a library over it. */
    public DeviceException failure(
            String error, int code, boolean isLost, String call, String operation, Object... detail) {
        StringBuilder message = new StringBuilder(call).append(" failed in ").append(operation);
        for (int i = 0; i + 1 < detail.length; i += 2) {
            message.append(i == 0 ? " (" : ", ").append(detail[i]).append(' ').append(detail[i + 1]);
        }
        message.append(detail.length > 0 ? ")" : "").append(": ").append(error);
        message.append("; last kernel ").append(lastKernel).append("; device ").append(deviceName);
        DeviceException failure = new DeviceException(message.toString(), code);
        if (isLost && lostBy == null) {
            lostBy = failure;
        }
        return failure;
    }

    /** An error's name, and what the driver says about it. */
    public static String describe(int result) {
        String name = CUresult.stringFor(result);
        String[] text = new String[1];
        boolean known = cuGetErrorString(result, text) == CUresult.CUDA_SUCCESS && text[0] != null;
        return known && !name.equals(text[0]) ? name + " (" + text[0] + ")" : name;
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

    /** Gives everything back; the second time nothing. What fails does not keep the rest from being given back. */
    public void close() {
        if (closed) {
            return;
        }
        if (Thread.currentThread() != owner) {
            throw wrongThread();
        }
        closed = true;
        DeviceException first = null;
        if (!resources.isEmpty() && CURRENT.get() != this) {
            cuCtxSetCurrent(primary);
        }
        CURRENT.remove();
        while (!resources.isEmpty()) {
            Resource resource = resources.pop();
            int result = resource.release.getAsInt();
            // After a loss every call fails, which is known and was reported.
            if (result != CUresult.CUDA_SUCCESS && lostBy == null && first == null) {
                first = failure(result, resource.call, "close");
            }
        }
        if (first != null) {
            throw first;
        }
    }

    /** Gives everything back after opening failed, which is what the caller will report. */
    public void closeAfter(Throwable failure) {
        try {
            close();
        } catch (DeviceException e) {
            failure.addSuppressed(e);
        }
    }
}
