package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionArguments;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.OutputGradients;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.junit.jupiter.api.Test;

/** What a relative bias takes beside its array, in every pass, grows with the rows and not with their pairs. */
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
            AttentionSpec spec = AttentionSpec.DEFAULT;
            ScoreBias bias = withBias ? ScoreBias.relative(biases[0], 1, 1, ROWS) : null;
            AttentionInputs in = new AttentionInputs(
                    rows[0], rows[1], rows[2], bias, null, null, null, null, null, null, null, null);
            AttentionArguments tangents = new AttentionArguments(rows[3], rows[4], rows[5], biases[1], null);
            AttentionArguments results = new AttentionArguments(rows[6], rows[7], rows[8], biases[2], null);
            AttentionOutputs out =
                    new AttentionOutputs(rows[9], rows[10]).withState(b.attention(), shape, spec, in, scope::allocate);
            b.attention().forward(shape, spec, in, out);
            OutputGradients gradients = new OutputGradients(rows[11], null, null, null);
            long before = allocatedBytes() + b.memory().reservedBytes();
            switch (pass) {
                case BACKWARD -> b.attention().backward(shape, spec, in, out, rows[11], null, results);
                case TANGENT -> b.attention().tangent(shape, spec, in, tangents, out, rows[12], rows[13]);
                case BACKWARD_TANGENT ->
                    b.attention()
                            .backwardTangent(shape, spec, in, tangents, out, gradients, rows[12], rows[13], results);
                case SERIES ->
                    b.attention()
                            .series(
                                    shape,
                                    spec,
                                    in,
                                    SeriesRing.taylor(1),
                                    List.of(output(rows[11]), plane(tangents)),
                                    List.of(AttentionPlane.NONE, plane(results)));
            }
            return allocatedBytes() + b.memory().reservedBytes() - before;
        }
    }

    private static AttentionPlane output(DeviceArray dOutput) {
        return new AttentionPlane(null, null, null, null, null, dOutput, null);
    }

    private static AttentionPlane plane(AttentionArguments a) {
        return new AttentionPlane(a.query(), a.key(), a.value(), a.bias(), null, null, null);
    }

    private static long allocatedBytes() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }
}
