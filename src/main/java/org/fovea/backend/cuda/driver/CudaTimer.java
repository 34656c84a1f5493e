// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;

/** Two events in the stream, between which the device takes the time. */
public final class CudaTimer implements AutoCloseable {
    private final CudaContext context;
    private final CUevent start = new CUevent();
    private final CUevent end = new CUevent();

    public CudaTimer(CudaContext context) {
        this.context = context;
        context.check(cuEventCreate(start, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate", "seconds");
        try {
            context.check(cuEventCreate(end, CUevent_flags.CU_EVENT_DEFAULT), "cuEventCreate", "seconds");
        } catch (RuntimeException e) {
            cuEventDestroy(start);
            throw e;
        }
    }

    public double seconds(Runnable work) {
        context.check(cuEventRecord(start, context.stream()), "cuEventRecord", "seconds");
        work.run();
        context.check(cuEventRecord(end, context.stream()), "cuEventRecord", "seconds");
        context.check(cuEventSynchronize(end), "cuEventSynchronize", "seconds");
        float[] milliseconds = new float[1];
        context.check(cuEventElapsedTime(milliseconds, start, end), "cuEventElapsedTime", "seconds");
        return milliseconds[0] * 1e-3;
    }

    @Override
    public void close() {
        context.checkUnlessLost(cuEventDestroy(start), "cuEventDestroy", "seconds");
        context.checkUnlessLost(cuEventDestroy(end), "cuEventDestroy", "seconds");
    }
}
