// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.fovea.backend.memory.DeviceArray;

/** Environments that a device plays by kernels of its own. */
public interface EnvironmentOps {
    /** Of a device that has none. */
    EnvironmentOps NONE = new EnvironmentOps() {
        @Override
        public boolean has(String kernel) {
            return false;
        }

        @Override
        public void step(
                EnvironmentCopies<DeviceArray> copies,
                EnvironmentActions<DeviceArray> actions,
                StepArrays<DeviceArray> result) {
            throw new IllegalStateException("this backend plays no environment, so not " + copies.kernel() + " either");
        }
    };

    /** Whether there is a kernel {@code environment_NAME}. */
    boolean has(String kernel);

    /**
     * Acts in every copy. Whatever changes from step to step lies in arrays, so it can be part of a captured step and be replayed.
     *
     * @param copies whose state is updated in place
     * @param result written
     */
    void step(
            EnvironmentCopies<DeviceArray> copies,
            EnvironmentActions<DeviceArray> actions,
            StepArrays<DeviceArray> result);
}
