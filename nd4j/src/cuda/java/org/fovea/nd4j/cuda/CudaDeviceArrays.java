// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j.cuda;

import org.fovea.nd4j.DeviceArrays;
import org.nd4j.jita.allocator.impl.AtomicAllocator;
import org.nd4j.linalg.api.concurrency.AffinityManager.Location;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * Arrays of nd4j-cuda-11.6, which works in the primary context of each device as Fovea does. Touches no class of nd4j-cuda
 * unless that is ND4J's backend.
 */
public final class CudaDeviceArrays implements DeviceArrays {

    @Override
    public boolean isActive() {
        return Nd4j.getBackend().getClass().getName().equals("org.nd4j.linalg.jcublas.JCublasBackend");
    }

    @Override
    public int device(INDArray array) {
        return Nd4j.getAffinityManager().getDeviceForArray(array);
    }

    @Override
    public long address(INDArray array) {
        Nd4j.getAffinityManager().ensureLocation(array, Location.DEVICE);
        AtomicAllocator allocator = AtomicAllocator.getInstance();
        return allocator.getPointer(array, allocator.getDeviceContext()).address();
    }

    /** ND4J holds a pointer to its stream, which the method named after cuBLAS reads. */
    @Override
    public long stream() {
        Nd4j.getExecutioner().push();
        return AtomicAllocator.getInstance()
                .getDeviceContext()
                .getCublasStream()
                .address();
    }

    @Override
    public void written(INDArray array) {
        AtomicAllocator.getInstance().tickDeviceWrite(array);
    }
}
