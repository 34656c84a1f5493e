// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.math;

import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGetVersion;
import static jcuda.jcublas.JCublas2.cublasSetMathMode;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcublas.JCublas2.cublasSetWorkspace;
import static jcuda.jcublas.JCublas2.cublasSgemmStridedBatched;

import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.Pointer;
import jcuda.driver.CUresult;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcublas.cublasOperation;
import jcuda.jcublas.cublasStatus;
import jcuda.runtime.cudaStream_t;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaNatives;
import org.fovea.backend.cuda.driver.DevicePointer;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DeviceException;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products by NVIDIA's library, where it is installed: its kernels for large products are hard to beat. It works
 * on the backend's stream and in a workspace that is its own from the start, so it allocates nothing later, can be
 * captured, and gives the same bits each time: the library promises that for one stream with its own workspace.
 */
public final class Cublas {
    /**
     * Multiplications from which a product goes to the library, those of two 512 x 512 matrices. Below, a device that does
     * some 50 TFLOP/s is done in less time than the library takes to choose and launch a kernel, about 5 us. By
     * reckoning, not yet by measurement.
     */
    private static final double LARGE = 512.0 * 512 * 512;

    /** What the grid's second and third dimension can count, which some of the library's kernels use for the batch. */
    private static final int LARGEST_BATCH = 65_535;

    /** Rows and columns of the first products, which are for nothing but their kernels. */
    private static final int FIRST_SIZE = 64;

    private final CudaContext context;
    private final @Nullable cublasHandle handle;
    private final boolean always;
    private final String description;
    private final FloatBuffer alpha = scalar();
    private final FloatBuffer beta = scalar();
    private final Pointer alphaPointer = Pointer.to(alpha);
    private final Pointer betaPointer = Pointer.to(beta);

    private Cublas(CudaContext context, @Nullable cublasHandle handle, String description) {
        this.context = context;
        this.handle = handle;
        this.always = context.settings().cublas() == BackendSettings.Cublas.ON;
        this.description = description;
    }

    /**
     * Opens the library if the settings want it.
     *
     * @throws BackendUnavailableException if they demand it and it is unavailable
     */
    public static Cublas open(CudaContext context) {
        BackendSettings.Cublas wanted = context.settings().cublas();
        if (wanted == BackendSettings.Cublas.OFF) {
            return new Cublas(context, null, "matrix products by Fovea's own kernel: cublas=off");
        }
        if (context.settings().precision() == BackendSettings.Precision.BF16) {
            // The library would want copies of the factors in bf16.
            return new Cublas(context, null, "matrix products by Fovea's own kernel: precision=bf16");
        }
        try {
            CudaNatives.loadCublas();
            cublasHandle handle = new cublasHandle();
            String version = prepare(context, handle);
            Cublas cublas = new Cublas(
                    context,
                    handle,
                    (wanted == BackendSettings.Cublas.ON ? "matrix products" : "large matrix products") + " by cuBLAS "
                            + version);
            cublas.loadKernels();
            return cublas;
        } catch (LinkageError | UncheckedIOException | DeviceException e) {
            String reason = String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
            if (wanted == BackendSettings.Cublas.ON || context.isLost()) {
                throw new BackendUnavailableException(
                        "cuBLAS can't be used (cublas=" + (wanted == BackendSettings.Cublas.ON ? "on" : "auto") + "): "
                                + reason,
                        e);
            }
            return new Cublas(context, null, "matrix products by Fovea's own kernel: " + reason);
        }
    }

    /** Makes the handle ready; returns the library's version. */
    private static String prepare(CudaContext context, cublasHandle handle) {
        // As NVIDIA recommends: 32 MiB from Hopper on, 4 MiB before.
        long bytes = context.architecture() >= 90 ? 32 << 20 : 4 << 20;
        DevicePointer workspace = new DevicePointer();
        context.check(cuMemAlloc(workspace, bytes), "cuMemAlloc", "opening cuBLAS", "bytes", bytes);
        context.owns("cuMemFree", () -> cuMemFree(workspace));
        check(context, cublasCreate(handle), "cublasCreate");
        context.owns("cublasDestroy", () -> destroy(handle));
        int[] version = new int[1];
        check(context, cublasGetVersion(handle, version), "cublasGetVersion");
        int mathMode = context.settings().precision() == BackendSettings.Precision.TF32
                ? cublasMath.CUBLAS_TF32_TENSOR_OP_MATH
                : cublasMath.CUBLAS_DEFAULT_MATH;
        check(context, cublasSetMathMode(handle, mathMode), "cublasSetMathMode");
        // Before the workspace, which this call would take away.
        check(context, cublasSetStream(handle, new cudaStream_t(context.stream())), "cublasSetStream");
        check(context, cublasSetWorkspace(handle, workspace, bytes), "cublasSetWorkspace");
        return version[0] / 10_000 + "." + version[0] % 10_000 / 100;
    }

    /**
     * Multiplies once in each way that will be needed. The library loads its kernels when they are first used, and
     * drivers before that of CUDA 12.3 can't load any while a stream captures.
     */
    private void loadKernels() {
        DevicePointer memory = new DevicePointer();
        long matrices = 2L * FIRST_SIZE * FIRST_SIZE * Float.BYTES;
        context.check(cuMemAlloc(memory, 3 * matrices), "cuMemAlloc", "opening cuBLAS", "bytes", 3 * matrices);
        try {
            for (int batch = 1; batch <= 2; batch++) {
                for (int transposed = 0; transposed < 4; transposed++) {
                    Gemm product = Gemm.batched(
                            transposed % 2 > 0, transposed / 2 > 0, FIRST_SIZE, FIRST_SIZE, FIRST_SIZE, batch);
                    long a = memory.address();
                    gemm(product, a, a + matrices, a + 2 * matrices);
                }
            }
            context.synchronize("opening cuBLAS");
        } finally {
            context.checkUnlessLost(cuMemFree(memory), "cuMemFree", "opening cuBLAS");
        }
    }

    /** As a result of the driver. */
    private static int destroy(cublasHandle handle) {
        return cublasDestroy(handle) == cublasStatus.CUBLAS_STATUS_SUCCESS
                ? CUresult.CUDA_SUCCESS
                : CUresult.CUDA_ERROR_UNKNOWN;
    }

    private static void check(CudaContext context, int status, String call) {
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            throw failure(context, status, call, "opening cuBLAS");
        }
    }

    private static DeviceException failure(
            CudaContext context, int status, String call, String operation, Object... detail) {
        // The status does not tell what the device is like after a kernel failed: better not to go on with it.
        boolean isLost = status == cublasStatus.CUBLAS_STATUS_EXECUTION_FAILED
                || status == cublasStatus.CUBLAS_STATUS_MAPPING_ERROR
                || status == cublasStatus.CUBLAS_STATUS_INTERNAL_ERROR;
        return context.failure(cublasStatus.stringFor(status), status, isLost, call, operation, detail);
    }

    private static FloatBuffer scalar() {
        return ByteBuffer.allocateDirect(Float.BYTES)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    /** Who does the matrix products, and why. */
    public String description() {
        return description;
    }

    /** Whether this product is for the library. */
    boolean takes(Gemm g) {
        return handle != null
                && g.batch() <= LARGEST_BATCH
                && (double) g.m() * g.n() * g.k() * g.batch() >= (always ? 1 : LARGE);
    }

    /** Multiplies what lies at these device addresses. */
    void gemm(Gemm g, long a, long b, long c) {
        alpha.put(0, g.alpha());
        beta.put(0, g.beta());
        // The library thinks in columns, so it sees each matrix transposed, and is asked for C^T = op(B)^T op(A)^T.
        int status = cublasSgemmStridedBatched(
                handle,
                operation(g.transposeB()),
                operation(g.transposeA()),
                g.n(),
                g.m(),
                g.k(),
                alphaPointer,
                new DevicePointer(b),
                g.ldb(),
                g.strideB(),
                new DevicePointer(a),
                g.lda(),
                g.strideA(),
                betaPointer,
                new DevicePointer(c),
                g.ldc(),
                g.strideC(),
                g.batch());
        if (status != cublasStatus.CUBLAS_STATUS_SUCCESS) {
            throw failure(context, status, "cublasSgemmStridedBatched", "gemm", "of", g);
        }
    }

    private static int operation(boolean transposed) {
        return transposed ? cublasOperation.CUBLAS_OP_T : cublasOperation.CUBLAS_OP_N;
    }
}
