// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.Test;

/** The memory that a relative bias takes in every pass, besides its array, grows with the rows and not with their pairs. */
class RelativeBiasMemoryTest {
    private static final int ROWS = 512;
    private static final int NUMBERS = 2 * ROWS + 1;
    private static final long MATRIX = (long) ROWS * ROWS * Float.BYTES;

    private enum Pass {
        BACKWARD,
        TANGENT,
        BACKWARD_TANGENT,
        SERIES
    }

    @Test
    void noPassTakesAMatrix() {
        for (Pass pass : Pass.values()) {
            long without = allocated(pass, false);
            assertThat(allocated(pass, true) - without).as("%s", pass).isLessThan(MATRIX / 8);
        }
    }

    /** Of a new backend, whose threads have no scratch yet; scalar, since vectors that are not compiled yet are objects. */
    private static long allocated(Pass pass, boolean withBias) {
        try (CpuBackend b = new CpuBackend(new ScalarKernels(), 1);
                Scope scope = b.memory().openScope()) {
            DeviceArray[] rows = IntStream.range(0, 14)
                    .mapToObj(i -> {
                        DeviceArray array = scope.allocate(DType.F32, ROWS);
                        b.memory().fill(array, 0.5 / (i + 1));
                        return array;
                    })
                    .toArray(DeviceArray[]::new);
            DeviceArray[] biases = IntStream.range(0, 3)
                    .mapToObj(i -> {
                        DeviceArray array = scope.allocate(DType.F32, NUMBERS);
                        b.memory().fill(array, 0.25);
                        return array;
                    })
                    .toArray(DeviceArray[]::new);
            if (!withBias) {
                Arrays.fill(biases, null);
            }
            AttentionShape shape = new AttentionShape(1, 1, ROWS, ROWS, 1, 1, AttentionShape.Layout.BHND);
            AttentionCall<DeviceArray> call = AttentionCall.of(shape, AttentionSpec.DEFAULT, rows[0], rows[1], rows[2])
                    .withBias(withBias ? ScoreBias.relative(biases[0], 1, 1, ROWS) : null);
            AttentionPlane<DeviceArray> tangents = AttentionPlane.inputs(rows[3], rows[4], rows[5], biases[1], null);
            AttentionPlane<DeviceArray> results = AttentionPlane.inputs(rows[6], rows[7], rows[8], biases[2], null);
            AttentionPlane<DeviceArray> outputTangents = AttentionPlane.outputs(rows[12], rows[13]);
            AttentionOutputs<DeviceArray> out =
                    new AttentionOutputs<>(rows[9], rows[10]).withState(b.attention(), call, scope::allocate);
            b.attention().forward(call, out);
            AttentionPlane<DeviceArray> dOutputs = AttentionPlane.outputs(rows[11], null);
            long before = allocatedBytes() + b.memory().reservedBytes();
            switch (pass) {
                case BACKWARD -> b.attention().backward(call, out, dOutputs, results);
                case TANGENT -> b.attention().tangent(call, out, tangents, outputTangents);
                case BACKWARD_TANGENT ->
                    b.attention()
                            .backwardTangent(call, out, dOutputs, tangents, results.withOutputs(rows[12], rows[13]));
                case SERIES ->
                    b.attention()
                            .series(
                                    call,
                                    SeriesRing.taylor(1),
                                    List.of(dOutputs, tangents),
                                    List.of(AttentionPlane.none(), results));
            }
            return allocatedBytes() + b.memory().reservedBytes() - before;
        }
    }

    private static long allocatedBytes() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }
}
