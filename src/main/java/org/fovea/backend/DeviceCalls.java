// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/**
 * What a host has asked of a device since the backend was opened.
 *
 * @param launches of kernels, and of captured steps
 * @param waits for the device
 * @param waitNanos that these took
 */
public record DeviceCalls(long launches, long waits, long waitNanos) {
    /** Of a backend whose operations run where they are called. */
    public static final DeviceCalls NONE = new DeviceCalls(0, 0, 0);

    /** What came since {@code before}. */
    public DeviceCalls since(DeviceCalls before) {
        return new DeviceCalls(launches - before.launches, waits - before.waits, waitNanos - before.waitNanos);
    }
}
