// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/**
 * What a host has asked of a device since the backend was opened.
 *
 * @param launches of kernels, and of captured steps
 * @param waits for the device
 * @param waitNanos that these took
 * @param idleNanos in which the device, waited for, had nothing to do; 0 unless it {@linkplain Backend#measureIdleTime is measured}
 */
public record DeviceCalls(long launches, long waits, long waitNanos, long idleNanos) {
    /** Of a backend whose operations run where they are called. */
    public static final DeviceCalls NONE = new DeviceCalls(0, 0, 0, 0);

    /** What came since {@code before}. */
    public DeviceCalls since(DeviceCalls before) {
        return new DeviceCalls(
                launches - before.launches,
                waits - before.waits,
                waitNanos - before.waitNanos,
                idleNanos - before.idleNanos);
    }

    /** These and others. */
    public DeviceCalls plus(DeviceCalls others) {
        return new DeviceCalls(
                launches + others.launches,
                waits + others.waits,
                waitNanos + others.waitNanos,
                idleNanos + others.idleNanos);
    }
}
