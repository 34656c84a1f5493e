// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * A flat run of elements in a device's memory. Shapes belong to the operations, not to the array.
 *
 * <p>An array made in a {@link Scope} ends with it; an operation that is given an array whose scope has closed
 * throws {@link IllegalStateException}. Arrays made by {@link Memory#allocate} live until {@link #release}.
 */
public interface DeviceArray {

    /** Type of every element. */
    DType dtype();

    /** Number of elements. */
    long length();

    /**
     * A view of elements {@code [offset, offset + length)} that shares this array's memory and lifetime.
     *
     * @throws IndexOutOfBoundsException if the range is not inside this array
     */
    DeviceArray slice(long offset, long length);

    /** Whether the memory behind this array still belongs to it. */
    boolean isAlive();

    /**
     * Gives the memory back to the backend's pool. Only for arrays from {@link Memory#allocate}; views and arrays of a
     * scope throw {@link IllegalStateException}.
     */
    void release();
}
