// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import java.util.HashSet;
import java.util.Set;
import org.fovea.backend.Backend;
import org.fovea.verify.Case;
import org.junit.jupiter.api.Tag;

/**
 * The contract on what nvcc made of the kernels: their PTX, which the simulator runs instruction by instruction. Of the table of
 * cases the first few of each operation and, where FOVEA_DEEP is set, all that the simulator takes otherwise.
 */
@Tag("integration")
class CudaPtxContractTest extends CudaContractTest {
    private static final boolean DEEP = System.getenv("FOVEA_DEEP") != null;

    /** Every so many cases of an operation one is run. */
    private static final int STEP = 6;

    private static final Set<String> CHOSEN = chosen();

    private static Set<String> chosen() {
        Set<String> names = new HashSet<>();
        int seen = 0;
        String operation = "";
        for (Case each : Case.all(false)) {
            seen = each.operation().equals(operation) ? seen + 1 : 0;
            operation = each.operation();
            if (seen % STEP == 0) {
                names.add(each.toString());
            }
        }
        return names;
    }

    @Override
    public Backend open() {
        return Simulator.openFromPtx();
    }

    @Override
    public boolean takes(Case each) {
        return super.takes(each) && (DEEP || CHOSEN.contains(each.toString()));
    }
}
