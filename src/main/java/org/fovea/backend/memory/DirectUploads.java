// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** Uploads where device and host are one: what is put is there. */
final class DirectUploads implements UploadBlock {
    private final Memory memory;
    private final DeviceArray[] arrays;
    private int[] flags = new int[0];

    DirectUploads(Memory memory, DType[] types, int[] lengths) {
        this.memory = memory;
        this.arrays = new DeviceArray[types.length];
        for (int i = 0; i < types.length; i++) {
            arrays[i] = memory.allocate(types[i], lengths[i]);
        }
    }

    @Override
    public DeviceArray array(int index) {
        return arrays[index];
    }

    @Override
    public void put(int index, int at, float[] source, int offset, int length) {
        memory.upload(source, offset, part(index, at, length));
    }

    private DeviceArray part(int index, int at, int length) {
        DeviceArray whole = arrays[index];
        return at == 0 && length == whole.length() ? whole : whole.slice(at, length);
    }

    @Override
    public void put(int index, int at, int[] source, int offset, int length) {
        memory.upload(source, offset, part(index, at, length));
    }

    @Override
    public void put(int index, int at, boolean[] source, int offset, int length) {
        if (flags.length < length) {
            flags = new int[length];
        }
        for (int i = 0; i < length; i++) {
            flags[i] = source[offset + i] ? 1 : 0;
        }
        put(index, at, flags, 0, length);
    }

    @Override
    public void upload(int count) {}

    @Override
    public void close() {
        for (DeviceArray array : arrays) {
            array.release();
        }
    }
}
