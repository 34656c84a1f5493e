// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** Of a device whose operations have run when they return. */
final class EagerReadback implements Readback {
    private final Memory memory;
    private final DeviceArray source;
    private final float[] values;

    EagerReadback(Memory memory, DeviceArray source) {
        this.memory = memory;
        this.source = source;
        this.values = new float[Math.toIntExact(source.length())];
    }

    @Override
    public void start() {
        memory.download(source, values, 0);
    }

    @Override
    public boolean isReady() {
        return true;
    }

    @Override
    public float[] values() {
        return values;
    }

    @Override
    public void close() {}
}
