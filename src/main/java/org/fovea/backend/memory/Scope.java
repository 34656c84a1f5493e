// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/**
 * Owner of short-lived arrays: everything allocated through a scope returns to the backend's pool, without a call per
 * array, when the scope closes. A scope belongs to the thread that opened it; several may be open on one thread.
 *
 * <p>Memory is recycled, so after its first iteration a training step that works in scopes allocates nothing.
 */
public interface Scope extends AutoCloseable {

    /**
     * An array of {@code length} elements with unspecified contents.
     *
     * @throws OutOfDeviceMemoryException if the device has no room for it
     */
    DeviceArray allocate(DType dtype, long length);

    /** Ends every array of this scope. Closing twice is harmless. */
    @Override
    void close();
}
