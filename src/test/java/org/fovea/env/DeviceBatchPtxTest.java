// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.junit.jupiter.api.Tag;

/** The same of what nvcc makes of the kernels. */
@Tag("integration")
class DeviceBatchPtxTest extends DeviceBatchTest {
    @Override
    Backend open() {
        return Simulator.openFromPtx();
    }
}
