// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventQuery;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.Pointer;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUresult;
import org.fovea.backend.memory.Readback;

/** A copy into page-locked memory, and an event behind it in the stream. */
final class CudaReadback implements Readback {
    private static final String OPERATION = "readback";

    private final CudaContext context;
    private final CudaMemory memory;
    private final CudaArray source;
    private final Pointer pinned = new Pointer();
    private final CUevent copied = new CUevent();
    private final FloatBuffer onHost;
    private final float[] values;
    private boolean closed;

    CudaReadback(CudaContext context, CudaMemory memory, CudaArray source) {
        this.context = context;
        this.memory = memory;
        this.source = source;
        values = new float[Math.toIntExact(source.length())];
        context.check(cuMemHostAlloc(pinned, source.bytes(), 0), "cuMemHostAlloc", OPERATION, "of", source);
        int created = cuEventCreate(copied, CUevent_flags.CU_EVENT_DISABLE_TIMING);
        if (created != CUresult.CUDA_SUCCESS) {
            cuMemFreeHost(pinned);
            throw context.failure(created, "cuEventCreate", OPERATION);
        }
        onHost = pinned.getByteBuffer(0, source.bytes())
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    @Override
    public void start() {
        memory.steps().refuse(OPERATION);
        memory.floats(OPERATION, "source", source);
        context.check(
                cuMemcpyDtoHAsync(pinned, source.pointer(), source.bytes(), context.stream()),
                "cuMemcpyDtoHAsync",
                OPERATION,
                "from",
                source);
        context.check(cuEventRecord(copied, context.stream()), "cuEventRecord", OPERATION);
    }

    @Override
    public boolean isReady() {
        context.enter();
        int result = cuEventQuery(copied);
        if (result != CUresult.CUDA_ERROR_NOT_READY) {
            context.check(result, "cuEventQuery", OPERATION);
        }
        return result == CUresult.CUDA_SUCCESS;
    }

    @Override
    public float[] values() {
        context.enter();
        context.check(cuEventSynchronize(copied), "cuEventSynchronize", OPERATION);
        onHost.get(0, values);
        return values;
    }

    @Override
    public void close() {
        if (!closed && context.isUsable()) {
            context.enter();
            context.checkUnlessLost(cuEventDestroy(copied), "cuEventDestroy", OPERATION);
            context.checkUnlessLost(cuMemFreeHost(pinned), "cuMemFreeHost", OPERATION);
        }
        closed = true;
    }
}
