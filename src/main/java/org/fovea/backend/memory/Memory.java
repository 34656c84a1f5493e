// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

import java.nio.ByteBuffer;

/**
 * Arrays and the ways in and out of them. Transfers are ordered with the operations around them: an upload is seen by
 * every later operation, and a download returns what every earlier one wrote. Floating-point host arrays are converted
 * to and from the array's own floating type, to nearest, ties to even.
 */
public interface Memory {

    /** The floating type this device computes in: {@link DType#F32}, or {@link DType#F64} for the reference. */
    DType floatType();

    /**
     * A zero-filled array that lives until it is released or the backend is closed.
     *
     * @throws OutOfDeviceMemoryException if the device has no room for it
     */
    DeviceArray allocate(DType dtype, long length);

    /** Opens a scope on the calling thread. */
    Scope openScope();

    /** Copies {@code target.length()} elements from {@code source} starting at {@code offset}. */
    void upload(float[] source, int offset, DeviceArray target);

    /** Copies {@code target.length()} elements from {@code source} starting at {@code offset}. */
    void upload(double[] source, int offset, DeviceArray target);

    /** Copies {@code target.length()} elements from {@code source} starting at {@code offset}. */
    void upload(int[] source, int offset, DeviceArray target);

    /**
     * Copies {@code target.length()} elements as they lie in memory: of the target's own type, in the machine's byte order, from
     * the position of {@code source} on, which stays where it is. A direct buffer is read in place.
     *
     * @throws IndexOutOfBoundsException if fewer bytes remain
     */
    void upload(ByteBuffer source, DeviceArray target);

    /** Arrays of 4-byte elements that are uploaded together, of these types and lengths, at first zero. */
    default UploadBlock allocateUploads(DType[] types, int[] lengths) {
        return new DirectUploads(this, types, lengths);
    }

    /** Copies all of {@code source} to {@code target} starting at {@code offset}. */
    void download(DeviceArray source, float[] target, int offset);

    /** Copies all of {@code source} to {@code target} starting at {@code offset}. */
    void download(DeviceArray source, double[] target, int offset);

    /** Copies all of {@code source} to {@code target} starting at {@code offset}. */
    void download(DeviceArray source, int[] target, int offset);

    /**
     * Copies all of {@code source} as it lies in memory: in its own type and the machine's byte order, to the position of {@code
     * target} on, which stays where it is. A direct buffer is written in place.
     *
     * @throws IndexOutOfBoundsException if fewer bytes remain
     */
    void download(DeviceArray source, ByteBuffer target);

    /** For copies of a floating array that the host need not wait for. The array must outlive it. */
    default Readback readback(DeviceArray source) {
        return new EagerReadback(this, source);
    }

    /** Copies {@code source} to {@code target}, of the same type and length. */
    void copy(DeviceArray source, DeviceArray target);

    /** Sets every element to {@code value}, rounded to the array's type. */
    void fill(DeviceArray target, double value);

    /** Bytes now held for live arrays, those of open scopes included; 0 after everything was released. */
    long liveBytes();

    /** Bytes the pool has taken from the device so far; constant while work fits in recycled memory. */
    long reservedBytes();
}
