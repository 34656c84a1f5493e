// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * Arrays, one behind the other, that the host fills piece by piece and that go to the device in one copy. What the device reads
 * before {@link #upload} may be of before or after.
 */
public interface UploadBlock extends AutoCloseable {

    /** Array {@code index}, which ends with the block. */
    DeviceArray array(int index);

    /** Writes {@code length} elements of a floating array from {@code at} on. */
    void put(int index, int at, float[] source, int offset, int length);

    /** Writes {@code length} elements of an I32 array from {@code at} on. */
    void put(int index, int at, int[] source, int offset, int length);

    /** Writes {@code length} elements of an I32 array from {@code at} on, 1 for true. */
    void put(int index, int at, boolean[] source, int offset, int length);

    /** Copies the first {@code count} arrays to the device, ordered with the operations around. */
    void upload(int count);

    /** Releases the arrays. */
    @Override
    void close();
}
