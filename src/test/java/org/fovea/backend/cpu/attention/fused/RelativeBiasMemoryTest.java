// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.function.Consumer;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cpu.CpuBackend;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.verify.AttentionFeatures;
import org.fovea.verify.AttentionProblem;
import org.fovea.verify.AttentionProblem.Given;
import org.fovea.verify.Pair;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The memory that a relative bias takes in every pass, besides its array, grows with the rows and not with their pairs. */
class RelativeBiasMemoryTest {
    private static final int ROWS = 2048;
    private static final long MATRIX = (long) ROWS * ROWS * Float.BYTES;

    private enum Pass {
        BACKWARD(problem -> problem.backward(true)),
        TANGENT(AttentionProblem::tangent),
        BACKWARD_TANGENT(problem -> problem.backwardTangent(Given.EVERYTHING)),
        SERIES(problem -> problem.series(SeriesRing.taylor(1), true));

        private final Consumer<AttentionProblem> run;

        Pass(Consumer<AttentionProblem> run) {
            this.run = run;
        }
    }

    @ParameterizedTest
    @EnumSource(Pass.class)
    void noPassTakesAMatrix(Pass pass) {
        AttentionFeatures plain = new AttentionFeatures(
                "long rows", AttentionFeatures.shape(1, 1, 1, ROWS, ROWS, 1, 1), AttentionSpec.DEFAULT);
        AttentionFeatures biased = plain.withRelativeBias(0, ROWS);
        allocated(pass, biased); // classes that are loaded take memory too
        assertThat(allocated(pass, biased) - allocated(pass, plain)).isLessThan(MATRIX / 8);
    }

    /** Of a new backend, whose threads have no scratch yet; scalar, since vectors that are not compiled yet are objects. */
    private static long allocated(Pass pass, AttentionFeatures features) {
        try (CpuBackend b = new CpuBackend(new ScalarKernels(), 1);
                Pair pair = new Pair(b, b)) {
            AttentionProblem problem = new AttentionProblem(pair, features, 1).allowing(0);
            problem.forward();
            problem.tangents();
            long before = allocatedBytes() + b.memory().reservedBytes();
            pass.run.accept(problem);
            return allocatedBytes() + b.memory().reservedBytes() - before;
        }
    }

    private static long allocatedBytes() {
        return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
    }
}
