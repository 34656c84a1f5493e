// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import jcuda.driver.CUresult;
import org.assertj.core.data.Offset;
import org.fovea.backend.Backend;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.math.BinaryOp;
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
import org.junit.jupiter.params.provider.ValueSource;

/** Captured steps as graphs: what they hold, and what is left when the driver refuses. */
@Tag("integration")
class CudaStepTest {
    private static final long PAUSE_MILLIS = 50;

    private Backend backend;
    private DeviceArray x;

    @BeforeEach
    void open() {
        Simulator.assumeSimulated();
        backend = Simulator.open();
        x = backend.memory().allocate(DType.F32, 5);
    }

    @AfterEach
    void close() {
        if (backend != null) {
            backend.close();
            assertThat(Simulator.allocations()).isZero();
        }
    }

    /** Adds 1 to every element by way of a scratch array. */
    private void increment() {
        try (Scope scope = backend.memory().openScope()) {
            DeviceArray scratch = scope.allocate(DType.F32, 5);
            backend.math().map(UnaryOp.EXP, x, scratch);
            backend.math().map(UnaryOp.LOG, scratch, x);
            backend.memory().fill(scratch, 1);
            int[] shape = {5};
            int[] stride = {1};
            backend.math().zip(BinaryOp.ADD, shape, x, stride, scratch, stride, x);
        }
    }

    private float first() {
        float[] values = new float[5];
        backend.memory().download(x, values, 0);
        return values[0];
    }

    @Test
    void idleTimeIsThatFromAWaitToWhatIsIssuedNext() throws InterruptedException {
        backend.memory().fill(x, 1);
        CapturedStep step = backend.capture(this::increment);
        backend.synchronize();
        Thread.sleep(20);
        step.replay();
        backend.synchronize();
        assertThat(backend.calls().idleNanos()).as("not measured").isZero();

        backend.measureIdleTime();
        backend.synchronize();
        // What is recorded meanwhile gives the device nothing to do.
        CapturedStep other = backend.capture(this::increment);
        Thread.sleep(PAUSE_MILLIS);
        step.replay();
        backend.synchronize();
        assertThat(backend.calls().idleNanos()).isGreaterThanOrEqualTo(PAUSE_MILLIS * 1_000_000);
        step.close();
        other.close();
    }

    @Test
    void aReplayIsOneLaunchAndAClosedStepHoldsNoGraph() {
        increment();
        long before = Simulator.allocations();
        CapturedStep step = backend.capture(this::increment);
        assertThat(Simulator.allocations()).as("the graph").isEqualTo(before + 1);
        assertThat(Simulator.calls("cuGraphLaunch", step::replay)).isEqualTo(1);
        assertThat(Simulator.calls("cuLaunchKernel", step::replay)).isZero();
        assertThat(Simulator.calls("cuMemsetD32Async", step::replay)).isZero();
        step.close();
        assertThat(first()).as("launches that waited when the step was closed").isCloseTo(4, offset());
        assertThat(Simulator.allocations()).isEqualTo(before);
    }

    private static Offset<Float> offset() {
        return within(1e-5f);
    }

    @Test
    void stepsShareTheirScratchAndNothingElseIsGivenIt() {
        CapturedStep first = backend.capture(this::increment);
        long reserved = backend.memory().reservedBytes();
        CapturedStep second = backend.capture(this::increment);
        assertThat(backend.memory().reservedBytes()).as("two steps, one arena").isEqualTo(reserved);
        try (Scope scope = backend.memory().openScope()) {
            scope.allocate(DType.F32, 5);
            assertThat(backend.memory().reservedBytes())
                    .as("an array beside them")
                    .isGreaterThan(reserved);
        }
        reserved = backend.memory().reservedBytes();
        first.close();
        second.close();
        try (Scope scope = backend.memory().openScope()) {
            scope.allocate(DType.F32, 5);
            scope.allocate(DType.F32, 5);
            assertThat(backend.memory().reservedBytes())
                    .as("the arena of closed steps")
                    .isEqualTo(reserved);
        }
    }

    @Test
    void aRefusedCallLeavesTheBackendAsItWas() {
        for (String call : List.of("cuLaunchKernel", "cuMemsetD32Async")) {
            increment();
            long before = Simulator.allocations();
            float value = first();
            Simulator.fail(call, 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
            assertThatThrownBy(() -> backend.capture(this::increment))
                    .as(call)
                    .isInstanceOf(DeviceException.class)
                    .hasMessageContaining(call.replaceAll("_v2|WithFlags", ""));
            assertThat(Simulator.allocations()).as(call).isEqualTo(before);
            increment();
            assertThat(first()).as("work after a failing %s", call).isCloseTo(value + 1, offset());
            try (CapturedStep step = backend.capture(this::increment)) {
                step.replay();
                assertThat(first()).as("a step after a failing %s", call).isCloseTo(value + 2, offset());
                Simulator.fail("cuGraphLaunch", 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
                assertThatThrownBy(step::replay)
                        .isInstanceOf(DeviceException.class)
                        .hasMessageContaining("cuGraphLaunch failed in replay");
                step.replay();
                assertThat(first()).isCloseTo(value + 3, offset());
            }
        }
    }

    /** A step of which the driver makes no graph runs all the same, its operations one by one; and so do those after it. */
    @ParameterizedTest
    @ValueSource(strings = {"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"})
    void aRefusedGraphIsRunEagerly(String call) {
        increment();
        float value = first();
        Simulator.fail(call, 1, CUresult.CUDA_ERROR_NOT_SUPPORTED);
        try (CapturedStep step = backend.capture(this::increment);
                CapturedStep next = backend.capture(this::increment)) {
            assertThat(first()).as("nothing is run by capturing").isCloseTo(value, offset());
            assertThat(Simulator.calls("cuGraphLaunch", () -> {
                        step.replay();
                        next.replay();
                    }))
                    .isZero();
            assertThat(first()).isCloseTo(value + 2, offset());
        }
    }

    @Test
    void aFullDeviceEndsACapture() {
        assertThatThrownBy(() -> backend.capture(() -> {
                    try (Scope scope = backend.memory().openScope()) {
                        scope.allocate(DType.F32, 1000);
                        scope.allocate(DType.F32, 1L << 30);
                    }
                }))
                .isInstanceOf(OutOfDeviceMemoryException.class)
                .hasMessageContaining("captured steps 0");
        increment();
        assertThat(first()).isCloseTo(1, offset());
    }

    @Test
    void aDeviceLostInAReplayIsReportedAndTheStepClosesQuietly() {
        CapturedStep step = backend.capture(this::increment);
        Simulator.fail("cuGraphLaunch", 1, CUresult.CUDA_ERROR_ILLEGAL_ADDRESS);
        assertThatThrownBy(step::replay).isInstanceOf(DeviceException.class);
        assertThatThrownBy(step::replay).isInstanceOf(DeviceException.class).hasMessageContaining("lost");
        step.close();
    }
}
