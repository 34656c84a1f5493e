// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import java.util.Set;
import java.util.stream.Collectors;
import org.fovea.backend.Backend;
import org.fovea.backend.contract.BackendContract;
import org.fovea.verify.Case;
import org.junit.jupiter.api.Tag;

/** The contract on CUDA: on the simulator, or with -Dfovea.test.gpu=true on the machine's own device. */
@Tag("integration")
class CudaContractTest extends BackendContract {
    private static final Set<String> SMALL =
            Case.all(false).stream().map(Case::toString).collect(Collectors.toSet());

    @Override
    public Backend open() {
        return Simulator.open();
    }

    @Override
    public boolean refusesBadIndices() {
        return false;
    }

    /** On the simulator larger shapes take hours, and a launch of 65,538 blocks a minute. */
    @Override
    public boolean takes(Case each) {
        return Boolean.getBoolean("fovea.test.gpu")
                || SMALL.contains(each.toString()) && !each.name().startsWith("many heads");
    }
}
