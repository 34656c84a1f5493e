package org.fovea.backend.cuda.driver;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/** Blocks of the pool that go back together. */
final class CudaScope implements Scope {
    private final CudaMemory memory;
    private final List<DeviceBlock> blocks = new ArrayList<>();
    private boolean closed;

    CudaScope(CudaMemory memory) {
        this.memory = memory;
    }

    @Override
    public DeviceArray allocate(DType dtype, long length) {
        if (closed) {
            throw new IllegalStateException("allocation in a scope that is closed");
        }
        CudaArray array = memory.take(dtype, length, CudaArray.Owner.SCOPE);
        blocks.add(array.block);
        return array;
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.giveBack(blocks);
        }
    }
}
