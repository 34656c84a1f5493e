package org.fovea.backend.reference;

import org.fovea.backend.memory.DeviceArray;

abstract class ReferenceOperands {
    final ReferenceMemory memory;

    ReferenceOperands(ReferenceMemory memory) {
        this.memory = memory;
    }

    ReferenceArray use(DeviceArray array) {
        return memory.use(array);
    }
}
