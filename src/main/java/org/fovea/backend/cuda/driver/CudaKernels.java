// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuFuncSetAttribute;
import static jcuda.driver.JCudaDriver.cuLaunchKernel;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;
import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadDataEx;
import static jcuda.driver.JCudaDriver.cuModuleUnload;

import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUfunction_attribute;
import jcuda.driver.CUmodule;
import jcuda.driver.CUresult;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.cuda.params.KernelParams;
import org.fovea.backend.memory.DType;

/**
 * The loaded kernels and their launches. All kernels take one struct, written into one pinned buffer, and the driver
 * copies it during the launch: so one buffer and one prebuilt pointer to it serve every launch, at well under a
 * microsecond each, where JCuda's array of pointers takes ten.
 */
public final class CudaKernels {
    public static final int COUNTERS = 4096;

    private static final int PARAMETER_BYTES = 4096;

    /** Dynamic shared memory that a kernel has without being asked for more. */
    private static final int DEFAULT_SHARED_BYTES = 48 * 1024;

    private static final long MAX_GRID = Integer.MAX_VALUE;

    private static final Logger LOGGER = System.getLogger(CudaKernels.class.getName());
    private static final AtomicBoolean TRANSLATION_ANNOUNCED = new AtomicBoolean();

    private final CudaContext context;
    private final List<CUmodule> modules = new ArrayList<>();
    private final DevicePointer counters = new DevicePointer();
    private final PinnedBuffer pinned;
    private final Pointer arguments;

    /** A kernel with the shape of its blocks. */
    public record Kernel(String name, CUfunction function, int threads, int sharedBytes) {}

    public CudaKernels(CudaContext context) {
        this.context = context;
        announceTranslation();
        KernelImage.load(context.driver()).forEach(this::load);
        pinned = new PinnedBuffer(context, PARAMETER_BYTES + Long.BYTES);
        pinned.bytes.putLong(PARAMETER_BYTES, pinned.address());
        arguments = pinned.at(PARAMETER_BYTES);
        long bytes = (long) COUNTERS * Integer.BYTES;
        context.check(cuMemAlloc(counters, bytes), "cuMemAlloc", "opening", "bytes", bytes);
        context.owns("cuMemFree", () -> cuMemFree(counters));
        context.check(cuMemsetD8Async(counters, (byte) 0, bytes, context.stream()), "cuMemsetD8Async", "opening");
    }

    /** Says so, once, where the driver translates PTX: it is silent for a minute then, unless its cache has the result. */
    private void announceTranslation() {
        InstalledDriver driver = context.driver();
        if (!KernelImage.isDescribed()
                || KernelImage.codeFor(context.architecture(), driver) != KernelImage.Code.PTX
                || TRANSLATION_ANNOUNCED.getAndSet(true)) {
            return;
        }
        KernelImage.Driver needed = KernelImage.machineCodeDriver();
        String reason = driver.isAtLeast(needed)
                ? "this build has no machine code for sm_" + context.architecture() + " (" + KernelImage.description()
                        + ")"
                : "the driver is " + driver + ", their machine code needs " + needed;
        LOGGER.log(
                Level.INFO,
                () -> "The driver translates the CUDA kernels from PTX, which may take a minute the first time: "
                        + reason);
    }

    private void load(ByteBuffer image) {
        CUmodule module = new CUmodule();
        int result = cuModuleLoadDataEx(module, Pointer.to(image), 0, new int[0], Pointer.to(new int[0]));
        if (KernelImage.isRefusedBy(result)) {
            throw new BackendUnavailableException("the kernels of this build (" + KernelImage.description()
                    + ") can't run on this device: " + CudaContext.describe(result) + "; the driver is "
                    + context.driver()
                    + ", the machine code needs " + KernelImage.machineCodeDriver());
        }
        context.check(result, "cuModuleLoadDataEx", "opening");
        context.owns("cuModuleUnload", () -> cuModuleUnload(module));
        modules.add(module);
    }

    /**
     * Address of {@link #COUNTERS} zeros, by which the blocks of a launch count how many of them are done. They are zeros again
     * when the launch ends, and so there for the next one.
     */
    public long counters() {
        return counters.address();
    }

    /** A floating type as kernel parameters number it. */
    public static int storage(DType type) {
        return switch (type) {
            case F32 -> 0;
            case BF16 -> 1;
            case F16 -> 2;
            case F64, I32 -> throw new IllegalArgumentException(type + " has no storage type in kernels");
        };
    }

    /** Where the parameters of the next launch are written. */
    public ByteBuffer parameters() {
        return pinned.bytes;
    }

    /** Finds a kernel of {@link Grid#THREADS} that needs no more shared memory than it declares. */
    public Kernel find(String name) {
        return find(name, Grid.THREADS, 0);
    }

    /** Finds a kernel and grants it its shared memory. */
    public Kernel find(String name, int threads, int sharedBytes) {
        CUfunction function = function(name);
        if (sharedBytes > DEFAULT_SHARED_BYTES) {
            context.check(
                    cuFuncSetAttribute(
                            function,
                            CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                            sharedBytes),
                    "cuFuncSetAttribute",
                    "opening",
                    "kernel",
                    name,
                    "shared bytes",
                    sharedBytes);
        }
        return new Kernel(name, function, threads, sharedBytes);
    }

    /** Whether there is such a kernel. */
    public boolean has(String name) {
        context.enter();
        int result = lookUp(name, new CUfunction());
        if (result != CUresult.CUDA_ERROR_NOT_FOUND) {
            context.check(result, "cuModuleGetFunction", "has", "kernel", name);
        }
        return result == CUresult.CUDA_SUCCESS;
    }

    private CUfunction function(String name) {
        CUfunction function = new CUfunction();
        context.check(lookUp(name, function), "cuModuleGetFunction", "opening", "kernel", name);
        return function;
    }

    /** Finds it in the one module that has it. */
    private int lookUp(String name, CUfunction function) {
        int result = CUresult.CUDA_ERROR_NOT_FOUND;
        for (int i = 0; i < modules.size() && result == CUresult.CUDA_ERROR_NOT_FOUND; i++) {
            result = cuModuleGetFunction(function, modules.get(i), name);
        }
        return result;
    }

    /** Launches enough threads to fill the device; beyond that each takes several of the {@code count} elements. */
    public void launchElements(Kernel kernel, long count, KernelParams parameters) {
        launchShared(kernel, Grid.tiles(count, Grid.THREADS), parameters);
    }

    /** Launches as many blocks as fill the device; beyond that each takes several of the {@code shares} of the work. */
    public void launchShared(Kernel kernel, long shares, KernelParams parameters) {
        if (shares > 0) {
            launch(kernel, Math.min(shares, 16L * context.multiprocessors()), parameters);
        }
    }

    /** Launches {@code blocks} blocks with the parameters that were written. */
    public void launch(Kernel kernel, long blocks, KernelParams parameters) {
        launch(kernel, blocks, kernel.threads, kernel.sharedBytes, parameters);
    }

    /** The same, with blocks of another shape; {@code sharedBytes} is at most what {@link #find} was asked for. */
    public void launch(Kernel kernel, long blocks, int threads, int sharedBytes, KernelParams parameters) {
        if (blocks > MAX_GRID) {
            throw new IllegalArgumentException(
                    kernel.name + ": " + blocks + " blocks are more than a launch can have; split the batch");
        }
        parameters.complete(kernel.name);
        context.issuing();
        int result = cuLaunchKernel(
                kernel.function, (int) blocks, 1, 1, threads, 1, 1, sharedBytes, context.stream(), arguments, null);
        context.launched(kernel.name);
        if (result != CUresult.CUDA_SUCCESS) {
            throw context.failure(result, "cuLaunchKernel", kernel.name, "blocks", blocks, "threads", threads);
        }
    }
}
