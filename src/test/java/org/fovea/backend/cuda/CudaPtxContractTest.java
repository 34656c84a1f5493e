// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import org.fovea.backend.Backend;
import org.fovea.verify.Case;
import org.junit.jupiter.api.Tag;

/**
 * The contract on what nvcc made of the kernels: their PTX, which the simulator runs instruction by instruction. It is the faster
 * way to simulate them; so where FOVEA_DEEP is set the larger shapes are among the cases too.
 */
@Tag("integration")
class CudaPtxContractTest extends CudaContractTest {
    private static final boolean DEEP = System.getenv("FOVEA_DEEP") != null;

    @Override
    public Backend open() {
        return Simulator.openFromPtx();
    }

    @Override
    public boolean takes(Case each) {
        return DEEP || super.takes(each);
    }
}
