// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import java.lang.reflect.Constructor;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.CUstream;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceSharing;
import org.jspecify.annotations.Nullable;

/** Arrays on other libraries' memory in the primary context, and one event that orders their streams and this backend's. */
public final class CudaSharing implements DeviceSharing {
    private final CudaContext context;
    private final CudaMemory memory;

    /** Recorded again and again: a stream waits for what the event marked when it was told to wait. */
    private @Nullable CUevent event;

    public CudaSharing(CudaContext context, CudaMemory memory) {
        this.context = context;
        this.memory = memory;
    }

    @Override
    public int device() {
        return context.settings().device();
    }

    @Override
    public DeviceArray borrow(long address, DType dtype, long length) {
        return memory.borrow(address, dtype, length);
    }

    @Override
    public long address(DeviceArray array) {
        return memory.resolve("address", "array", array.dtype(), array).address();
    }

    @Override
    public long stream() {
        context.enter();
        context.issuing();
        return context.streamHandle();
    }

    @Override
    public void runAfter(long stream) {
        order("runAfter", stream(stream), context.stream());
    }

    @Override
    public void runBefore(long stream) {
        order("runBefore", context.stream(), stream(stream));
    }

    private void order(String operation, CUstream first, CUstream then) {
        context.enter();
        memory.steps().refuse(operation);
        CUevent mark = event == null ? createEvent(operation) : event;
        context.check(cuEventRecord(mark, first), "cuEventRecord", operation);
        context.check(cuStreamWaitEvent(then, mark, 0), "cuStreamWaitEvent", operation);
    }

    private CUevent createEvent(String operation) {
        CUevent created = new CUevent();
        context.check(cuEventCreate(created, CUevent_flags.CU_EVENT_DISABLE_TIMING), "cuEventCreate", operation);
        context.owns("cuEventDestroy", () -> cuEventDestroy(created));
        event = created;
        return created;
    }

    /** JCuda makes streams of its own only; a handle goes in through a constructor that it keeps to its package. */
    private static CUstream stream(long handle) {
        try {
            Constructor<CUstream> constructor = CUstream.class.getDeclaredConstructor(long.class);
            constructor.setAccessible(true);
            return constructor.newInstance(handle);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("this version of JCuda has no CUstream(long)", e);
        }
    }
}
