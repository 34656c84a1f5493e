// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventRecord;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;

/**
 * How long the device had nothing to do from the end of what the host waited for until it was given more: between an event after
 * the one and an event before the other. Pauses within what is issued without waiting are not seen.
 */
final class IdleTimer {
    private static final String OPERATION = "measureIdleTime";

    private final CudaContext context;
    private final float[] milliseconds = new float[1];
    private final CUevent resumed;
    private CUevent drained;
    private CUevent nextDrained;
    private double nanos;

    /** Whether the host has waited and issued nothing since; and whether it has issued something and not waited since. */
    private boolean waiting;

    private boolean working;

    IdleTimer(CudaContext context) {
        this.context = context;
        resumed = newEvent();
        drained = newEvent();
        nextDrained = newEvent();
    }

    private CUevent newEvent() {
        CUevent event = new CUevent();
        check(cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate");
        context.owns("cuEventDestroy", () -> cuEventDestroy(event));
        return event;
    }

    private void check(int result, String call) {
        context.check(result, call, OPERATION);
    }

    /** Before a wait. */
    void draining() {
        check(cuEventRecord(nextDrained, context.stream()), "cuEventRecord");
    }

    /** After it. */
    void drained() {
        if (working) {
            check(cuEventElapsedTime(milliseconds, drained, resumed), "cuEventElapsedTime");
            nanos += milliseconds[0] * 1e6;
        }
        CUevent last = drained;
        drained = nextDrained;
        nextDrained = last;
        waiting = true;
        working = false;
    }

    boolean isWaiting() {
        return waiting;
    }

    /** Before what comes first after a wait. */
    void resumed() {
        check(cuEventRecord(resumed, context.stream()), "cuEventRecord");
        waiting = false;
        working = true;
    }

    long nanos() {
        return (long) nanos;
    }
}
