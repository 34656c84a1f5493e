package org.fovea.backend.cuda;

import org.fovea.backend.Backend;
import org.fovea.backend.contract.BackendContract;
import org.junit.jupiter.api.Tag;

/** The contract on CUDA: on the simulator, or with -Dfovea.test.gpu=true on the machine's own device. */
@Tag("integration")
class CudaContractTest extends BackendContract {
    @Override
    public Backend open() {
        return Simulator.open();
    }

    @Override
    public boolean refusesBadIndices() {
        return false;
    }

    @Override
    public boolean isSimulated() {
        return !Boolean.getBoolean("fovea.test.gpu");
    }
}
