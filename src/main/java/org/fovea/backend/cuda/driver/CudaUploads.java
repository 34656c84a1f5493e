// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Objects;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.UploadBlock;

/** Arrays that are views of one, and what will be in it next. */
final class CudaUploads implements UploadBlock {
    /** Elements of 16 bytes, so that every array is aligned. */
    private static final int GRAIN = 4;

    private final CudaMemory memory;
    private final CudaArray whole;
    private final CudaArray[] arrays;

    /** First element of each array, and of what is behind the last. */
    private final int[] starts;

    private final ByteBuffer next;

    CudaUploads(CudaMemory memory, DType[] types, int[] lengths) {
        this.memory = memory;
        this.starts = new int[types.length + 1];
        for (int i = 0; i < types.length; i++) {
            starts[i + 1] = Math.addExact(starts[i], (lengths[i] + GRAIN - 1) / GRAIN * GRAIN);
        }
        int total = starts[types.length];
        this.whole = (CudaArray) memory.allocate(DType.I32, total);
        this.arrays = new CudaArray[types.length];
        for (int i = 0; i < types.length; i++) {
            arrays[i] = whole.view(types[i], starts[i], lengths[i]);
        }
        this.next = ByteBuffer.allocateDirect(Math.multiplyExact(total, Integer.BYTES))
                .order(ByteOrder.nativeOrder());
    }

    @Override
    public DeviceArray array(int index) {
        return arrays[index];
    }

    /** Where element {@code at} of an array is in bytes; checks that {@code length} more fit. */
    private int place(int index, int at, int length) {
        Objects.checkFromIndexSize(at, length, arrays[index].length());
        return (starts[index] + at) * Integer.BYTES;
    }

    private ByteBuffer at(int index, int at, int length) {
        return next.slice(place(index, at, length), length * Integer.BYTES).order(next.order());
    }

    @Override
    public void put(int index, int at, float[] source, int offset, int length) {
        at(index, at, length).asFloatBuffer().put(source, offset, length);
    }

    @Override
    public void put(int index, int at, int[] source, int offset, int length) {
        at(index, at, length).asIntBuffer().put(source, offset, length);
    }

    @Override
    public void put(int index, int at, boolean[] source, int offset, int length) {
        int place = place(index, at, length);
        for (int i = 0; i < length; i++) {
            next.putInt(place + i * Integer.BYTES, source[offset + i] ? 1 : 0);
        }
    }

    @Override
    public void upload(int count) {
        memory.upload(next, whole.view(DType.I32, 0, starts[count]));
    }

    @Override
    public void close() {
        whole.release();
    }
}
