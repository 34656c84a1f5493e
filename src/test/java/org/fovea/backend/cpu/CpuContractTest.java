package org.fovea.backend.cpu;

import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.backend.contract.BackendContract;
import org.fovea.backend.cpu.kernels.scalar.ScalarKernels;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** The contract on the CPU: alone, with a helper, and without vectors. */
class CpuContractTest {

    @Nested
    @Tag("vectors")
    class OnOneThread extends BackendContract {
        @Override
        public Backend open() {
            return Backends.open("cpu", 1).backend();
        }
    }

    @Nested
    class OnTwoThreads extends BackendContract {
        @Override
        public Backend open() {
            return Backends.open("cpu", 2).backend();
        }
    }

    @Nested
    class OnScalarKernels extends BackendContract {
        @Override
        public Backend open() {
            return new CpuBackend(new ScalarKernels(), 2);
        }
    }
}
