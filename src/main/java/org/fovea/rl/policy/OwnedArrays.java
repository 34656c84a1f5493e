// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.rl.StepClock;

/** Arrays that end together. */
final class OwnedArrays implements AutoCloseable {
    private final Memory memory;
    private final List<DeviceArray> all = new ArrayList<>();

    OwnedArrays(Memory memory) {
        this.memory = memory;
    }

    /** An array of zeros. */
    DeviceArray allocate(DType type, long length) {
        DeviceArray array = memory.allocate(type, length);
        all.add(array);
        return array;
    }

    DeviceArray integers(int length) {
        return allocate(DType.I32, length);
    }

    DeviceArray floats(long length) {
        return allocate(memory.floatType(), length);
    }

    /** The clock of environments in the first step of their episodes. */
    StepClock clock(int environments) {
        DeviceArray ages = integers(environments);
        memory.fill(ages, 1);
        return new StepClock(integers(environments), ages, integers(environments), floats(environments), integers(1));
    }

    @Override
    public void close() {
        all.forEach(DeviceArray::release);
    }
}
