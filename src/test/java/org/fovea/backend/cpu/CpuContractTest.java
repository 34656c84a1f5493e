// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu;

import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.contract.BackendContract;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.fovea.verify.Case;
import org.junit.jupiter.api.Nested;

/** The contract on the CPU: with a second thread, alone, and without vectors. */
class CpuContractTest {

    @Nested
    class OnTwoThreads extends BackendContract {
        @Override
        public Backend open() {
            return Backends.open("cpu", 2).backend();
        }
    }

    /** Without what is computed on one thread as on two: {@link CpuThreadsTest} compares every bit. */
    @Nested
    class OnOneThread extends BackendContract {
        @Override
        public Backend open() {
            return Backends.open("cpu", 1).backend();
        }

        @Override
        public boolean takes(Case each) {
            return !each.operation().startsWith("attention.");
        }
    }

    /** Without what is computed in float64, by no kernel. */
    @Nested
    class OnScalarKernels extends BackendContract {
        @Override
        public Backend open() {
            return new CpuBackend(new ScalarKernels(), 2);
        }

        @Override
        public boolean takes(Case each) {
            return !each.operation().equals("attention.series");
        }
    }
}
