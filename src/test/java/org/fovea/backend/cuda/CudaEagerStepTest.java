// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.BackendSettings;
import org.fovea.backend.CapturedStep;
import org.fovea.backend.contract.CapturedStepContract;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The contract's captured steps where the settings want no graphs. */
@Tag("integration")
class CudaEagerStepTest extends CapturedStepContract {
    @Override
    public Backend open() {
        return Simulator.open(BackendSettings.DEFAULT.with(Map.of("graph", "off")));
    }

    @Test
    void aReplayLaunchesKernelsAndNoGraph() {
        Simulator.assumeSimulated();
        Backend b = tested();
        DeviceArray x = b.memory().allocate(DType.F32, 5);
        try (CapturedStep step = b.capture(() -> b.memory().fill(x.slice(1, 3), 7))) {
            assertThat(Simulator.calls("cuGraphLaunch", step::replay)).isZero();
            float[] values = new float[3];
            b.memory().download(x.slice(1, 3), values, 0);
            assertThat(values).containsOnly(7);
        }
        x.release();
    }
}
