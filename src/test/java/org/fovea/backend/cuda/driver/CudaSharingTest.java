// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD32Async;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceSharing;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Memory and a stream of another library, which this test is. */
@Tag("integration")
final class CudaSharingTest {
    private static final int LENGTH = 5;

    /** A stream that can tell its handle. */
    private static final class OtherStream extends CUstream {
        long handle() {
            return getNativePointer();
        }
    }

    private Backend backend;
    private DeviceSharing sharing;
    private final DevicePointer memory = new DevicePointer();
    private final OtherStream stream = new OtherStream();

    @BeforeEach
    void open() {
        backend = Simulator.open();
        sharing = backend.sharing().orElseThrow();
        assertThat(cuMemAlloc(memory, 2 * LENGTH * Float.BYTES)).isZero();
        assertThat(cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING))
                .isZero();
    }

    @AfterEach
    void close() {
        if (backend != null) {
            cuMemFree(memory);
            backend.close();
        }
    }

    private void fill(float value) {
        assertThat(cuMemsetD32Async(memory, Float.floatToRawIntBits(value), LENGTH, stream))
                .isZero();
    }

    /** What the other library sees of the second half of its memory when its stream is through. */
    private float[] second() {
        ByteBuffer host = ByteBuffer.allocateDirect(LENGTH * Float.BYTES).order(ByteOrder.nativeOrder());
        DevicePointer half = new DevicePointer(memory.address() + LENGTH * Float.BYTES);
        assertThat(cuMemcpyDtoHAsync(Pointer.to(host), half, LENGTH * Float.BYTES, stream))
                .isZero();
        assertThat(cuStreamSynchronize(stream)).isZero();
        float[] values = new float[LENGTH];
        host.asFloatBuffer().get(values);
        return values;
    }

    @Test
    void theOtherLibrarysMemoryIsReadAndWrittenInItsOrder() {
        DeviceArray first = sharing.borrow(memory.address(), DType.F32, LENGTH);
        DeviceArray second = sharing.borrow(memory.address() + LENGTH * Float.BYTES, DType.F32, LENGTH);
        long live = backend.memory().liveBytes();
        for (float value : new float[] {4, 9}) {
            fill(value);
            sharing.runAfter(stream.handle());
            backend.math().map(UnaryOp.SQRT, first, second);
            sharing.runBefore(stream.handle());
            fill(-1);
            assertThat(second()).containsOnly((float) Math.sqrt(value));
        }
        assertThat(backend.memory().liveBytes()).isEqualTo(live);
        second.release();
        assertThat(second.isAlive()).isFalse();
        assertThatThrownBy(() -> backend.memory().fill(second, 0)).isInstanceOf(IllegalStateException.class);
        assertThat(first.isAlive()).isTrue();
    }

    /** Nothing but events is issued, and only the first call makes one. */
    @Test
    void orderingStreamsWaitsForNothing() {
        sharing.runAfter(stream.handle());
        long waits = backend.calls().waits();
        for (int i = 0; i < 3; i++) {
            sharing.runAfter(stream.handle());
            sharing.runBefore(stream.handle());
        }
        assertThat(backend.calls().waits()).isEqualTo(waits);
        assertThat(Simulator.calls("cuEventCreate", () -> sharing.runBefore(stream.handle())))
                .isZero();
    }

    @Test
    void whatCannotBeBorrowedIsNamed() {
        assertThat(sharing.device()).isZero();
        assertThatThrownBy(() -> sharing.borrow(memory.address(), DType.F64, 1))
                .isInstanceOf(UnsupportedOnBackendException.class);
        for (long address : List.of(0L, memory.address() + 2)) {
            assertThatThrownBy(() -> sharing.borrow(address, DType.F32, 1))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("1 elements of F32")
                    .hasMessageContaining(Long.toString(address));
        }
    }

    @Test
    void aCapturedStepHasNoPlaceForOtherStreams() {
        try (Scope scope = backend.memory().openScope()) {
            DeviceArray array = scope.allocate(DType.F32, 3);
            assertThatThrownBy(() -> backend.capture(() -> {
                        backend.memory().fill(array, 1);
                        sharing.runAfter(stream.handle());
                    }))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("runAfter");
        }
    }
}
