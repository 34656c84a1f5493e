// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * The arrays and streams of another library that works on the same device in this process: operations read and write its memory
 * in place, and neither library's stream runs ahead of the other's. The host waits for nothing.
 */
public interface DeviceSharing {

    /** The number of the device, from 0, as the driver counts. */
    int device();

    /**
     * An array on memory that another library owns. It may be released, which frees nothing, and must be neither read nor
     * written after the other library freed the memory.
     *
     * @param address on the device, in its primary context; a multiple of the size of an element
     */
    DeviceArray borrow(long address, DType dtype, long length);

    /**
     * Where an array of this backend lies on the device, for a library that reads and writes it. A captured step that is being recorded
     * counts the array among those that it uses.
     *
     * @throws IllegalStateException if the array has ended
     */
    long address(DeviceArray array);

    /**
     * The backend's own stream, as the driver's handle, for a library that puts work into it: this runs after the operations issued so far
     * and before those issued later, and where a step is being captured it becomes part of that.
     */
    long stream();

    /** Lets the operations issued from now on run after all that has been put into the other library's stream so far. */
    void runAfter(long stream);

    /** Lets what is put into the other library's stream from now on run after the operations issued so far. */
    void runBefore(long stream);
}
