// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.Scope;

/** Blocks of the pool that go back together. */
public final class CudaScope implements Scope {
    private final CudaMemory memory;
    private final List<DeviceBlock> blocks = new ArrayList<>();
    private boolean closed;

    CudaScope(CudaMemory memory) {
        this.memory = memory;
    }

    @Override
    public CudaArray allocate(DType dtype, long length) {
        if (closed) {
            throw new IllegalStateException("allocation in a scope that is closed");
        }
        CudaArray array = memory.take(dtype, length, CudaArray.Owner.SCOPE);
        blocks.add(array.block);
        return array;
    }

    /** Address of memory for one operation; later work may have it once the scope is closed, as one stream orders all. */
    public long scratch(DType dtype, long length) {
        return allocate(dtype, length).address();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            memory.giveBack(blocks);
        }
    }
}
