// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;

/** The elements of a device's array. */
record ArrayNumbers(Memory memory, DeviceArray array) implements Numbers {

    @Override
    public long length() {
        return array.length();
    }

    @Override
    public void read(long offset, double[] target, int at, int count) {
        memory.download(array.slice(offset, count), target, at);
    }
}
