// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import jcuda.driver.CUresult;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.BackendUnavailableException;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.params.MapParams;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.OutOfDeviceMemoryException;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A device that is full, or of which a call or a kernel fails. */
@Tag("integration")
class CudaFaultTest {
    private Backend backend;

    @BeforeEach
    void open() {
        Simulator.assumeSimulated();
        backend = Simulator.open();
    }

    @AfterEach
    void close() {
        if (backend != null) {
            backend.close();
            assertThat(Simulator.allocations()).isZero();
        }
    }

    @Test
    void aFullDeviceSaysWhatItHoldsAndStaysUsable() {
        DeviceArray held = backend.memory().allocate(DType.F32, 1000);
        assertThatThrownBy(() -> backend.memory().allocate(DType.F32, 1L << 30))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageContaining("asked for 4294967296 bytes")
                .hasMessageContaining("arrays hold 4000")
                .hasMessageContaining("of 268435456 are free");
        backend.memory().fill(held, 2);
        float[] values = new float[1000];
        backend.memory().download(held, values, 0);
        assertThat(values).containsOnly(2);
    }

    @Test
    void recycledMemoryIsGivenBackBeforeADeviceCountsAsFull() {
        try (Scope scope = backend.memory().openScope()) {
            scope.allocate(DType.F32, 30L << 20);
        }
        // 120 of 256 MiB lie in the pool, in a block that is too small.
        backend.memory().allocate(DType.F32, 40L << 20);
        assertThat(backend.memory().reservedBytes()).isEqualTo(160L << 20);
    }

    @Test
    void aFailingCallIsNamedWithItsOperation() {
        DeviceArray array = backend.memory().allocate(DType.F32, 13);
        Simulator.fail("cuMemcpyHtoDAsync_v2", 1, CUresult.CUDA_ERROR_INVALID_VALUE);
        assertThatThrownBy(() -> backend.memory().upload(new float[13], 0, array))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("cuMemcpyHtoDAsync failed in upload (to F32[13]): CUDA_ERROR_INVALID_VALUE")
                .hasMessageContaining("device simulated on the CPU");
        backend.memory().upload(new float[13], 0, array);
    }

    @Test
    void aWritePastAnArrayIsReportedAndTheBackendIsLost() {
        // The device is lost to everything that shares its context.
        backend.close();
        CudaContext context = new CudaContext(BackendSettings.DEFAULT);
        CudaMemory memory = new CudaMemory(context);
        CudaKernels kernels = new CudaKernels(context);
        CudaArray x = (CudaArray) memory.allocate(DType.F32, 128);
        CudaArray y = (CudaArray) memory.allocate(DType.F32, 128);
        // A launch that claims one element more than the block has.
        MapParams params = new MapParams(kernels.parameters());
        params.x(x.address()).y(y.address()).count(129).op(UnaryOp.NEGATE.ordinal());
        kernels.launchElements(kernels.find("map_unary"), 33, params);
        assertThatThrownBy(() -> context.synchronize("synchronize"))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("cuStreamSynchronize failed in synchronize: CUDA_ERROR_ILLEGAL_ADDRESS")
                .hasMessageContaining("map_unary wrote past the end of an allocation of 512 bytes");
        assertThatThrownBy(() -> memory.fill(x, 1))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("lost")
                .hasCauseInstanceOf(DeviceException.class);
        context.close();
    }

    @Test
    void noFailingCallOfATrainingStepGoesUnnoticed() {
        List<String> silent = new ArrayList<>();
        for (String call : List.of(
                "cuMemAlloc_v2", "cuMemsetD8Async", "cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuMemcpyDtoHAsync_v2")) {
            Simulator.fail(call, 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
            try {
                negateOnce(backend);
                silent.add(call);
            } catch (DeviceException expected) {
                assertThat(expected.code()).isEqualTo(CUresult.CUDA_ERROR_NOT_SUPPORTED);
            }
        }
        assertThat(silent).isEmpty();
        assertThat(negateOnce(backend)).isEqualTo(-3);
    }

    private static float negateOnce(Backend backend) {
        // A new length each time, so that the pool must ask the driver.
        DeviceArray array =
                backend.memory().allocate(DType.F32, 1 + backend.memory().reservedBytes());
        try {
            DeviceArray one = array.slice(0, 1);
            backend.memory().upload(new float[] {3}, 0, one);
            backend.math().map(UnaryOp.NEGATE, one, one);
            float[] result = new float[1];
            backend.memory().download(one, result, 0);
            return result[0];
        } finally {
            array.release();
        }
    }

    @Test
    void anArrayThatCannotBeClearedIsNotKept() {
        Simulator.fail("cuMemsetD8Async", 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
        assertThatThrownBy(() -> backend.memory().allocate(DType.F32, 13))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("cuMemsetD8Async failed in allocate (array F32[13])");
        assertThat(backend.memory().liveBytes()).isZero();
        DeviceArray array = backend.memory().allocate(DType.F32, 13);
        assertThat(backend.memory().reservedBytes()).isEqualTo(512);
        array.release();
    }

    @Test
    void aBlockThatCannotBeFreedIsNotHandedOutAgain() {
        try (Scope scope = backend.memory().openScope()) {
            scope.allocate(DType.F32, 30L << 20);
        }
        // Too large for what the pool holds, so that is to be freed.
        Simulator.fail("cuMemFree_v2", 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
        assertThatThrownBy(() -> backend.memory().allocate(DType.F32, 40L << 20))
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("cuMemFree failed in allocate");
        backend.memory().allocate(DType.F32, 20L << 20);
        assertThat(backend.memory().reservedBytes()).isEqualTo(200L << 20);
    }

    @Test
    void closingGoesOnAfterAFailure() {
        backend.memory().allocate(DType.F32, 13);
        backend.memory().allocate(DType.F32, 1_000_000);
        long before = Simulator.allocations();
        Simulator.fail("cuModuleUnload", 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
        assertThatThrownBy(backend::close)
                .isInstanceOf(DeviceException.class)
                .hasMessageContaining("cuModuleUnload failed in close");
        assertThat(before).isPositive();
        assertThat(Simulator.allocations()).isZero();
        backend.close();
    }

    @ParameterizedTest
    @EnumSource(
            value = BackendSettings.Cublas.class,
            names = {"ON", "OFF"})
    void openingThatFailsAtAnyCallKeepsNothing(BackendSettings.Cublas cublas) {
        BackendSettings settings = BackendSettings.DEFAULT.with(Map.of("cublas", cublas.name()));
        // While another backend is open, the context does not end, and with it what was forgotten in it.
        long others = Simulator.allocations();
        for (String call : List.of(
                "cuDriverGetVersion",
                "cuInit",
                "cuDeviceGetCount",
                "cuDeviceGet",
                "cuDeviceGetName",
                "cuDeviceGetAttribute",
                "cuDevicePrimaryCtxRetain",
                "cuCtxSetCurrent",
                "cuStreamCreate",
                "cuMemHostAlloc",
                "cuModuleLoadDataEx",
                "cuModuleGetFunction",
                "cuFuncSetAttribute",
                "cuMemAlloc_v2",
                "cublasCreate_v2",
                "cublasGetVersion_v2",
                "cublasSetMathMode",
                "cublasSetStream_v2",
                "cublasSetWorkspace_v2")) {
            int failures = failEach(call, settings, others);
            boolean isCalled =
                    !call.startsWith("cublas") && !call.equals("cuMemAlloc_v2") || cublas == BackendSettings.Cublas.ON;
            assertThat(failures).as(call).isGreaterThanOrEqualTo(isCalled ? 1 : 0);
        }
        assertThat(negateOnce(backend)).isEqualTo(-3);
    }

    /** Lets the first, the second ... call fail until opening succeeds; how often it did not. */
    private static int failEach(String call, BackendSettings settings, long others) {
        for (int k = 1; ; k++) {
            Simulator.fail(call, k, CUresult.CUDA_ERROR_OUT_OF_MEMORY);
            try {
                Simulator.open(settings).close();
                assertThat(Simulator.allocations()).as(call).isEqualTo(others);
                Simulator.fail("none", 1, 0);
                return k - 1;
            } catch (BackendUnavailableException expected) {
                assertThat(expected).as(call).hasMessageContaining(" failed in opening");
                assertThat(Simulator.allocations()).as(call + " " + k).isEqualTo(others);
            }
        }
    }
}
