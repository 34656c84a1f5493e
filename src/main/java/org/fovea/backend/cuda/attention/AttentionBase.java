package org.fovea.backend.cuda.attention;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/** What the kernels of attention need of their device. */
abstract class AttentionBase {
    static final int THREADS = Grid.THREADS;
    static final int WARP = Grid.WARP;
    final CudaContext context;
    final CudaMemory memory;
    final Kernels kernels;

    AttentionBase(CudaContext context, CudaMemory memory, Kernels kernels) {
        this.context = context;
        this.memory = memory;
        this.kernels = kernels;
    }

    static long tiles(long extent, int tile) {
        return Grid.tiles(extent, tile);
    }

    CudaArray floats(String operation, String name, DeviceArray array) {
        return memory.floats(operation, name, array);
    }

    CudaArray floating(String operation, String name, DeviceArray array) {
        return memory.floating(operation, name, array);
    }

    CudaArray resolve(String operation, String name, DType type, DeviceArray array) {
        return memory.resolve(operation, name, type, array);
    }

    CudaScope openScope() {
        return memory.openScope();
    }

    static void requireApart(String operation, CudaArray out, CudaArray... in) {
        CudaMemory.requireApart(operation, out, in);
    }
}
