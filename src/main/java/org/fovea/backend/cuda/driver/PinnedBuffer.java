// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;

/** Page-locked host memory, from which and into which the device copies while the host goes on. */
final class PinnedBuffer {
    private final HostPointer pointer = new HostPointer();
    final ByteBuffer bytes;

    PinnedBuffer(CudaContext context, int size) {
        context.check(cuMemHostAlloc(pointer, size, 0), "cuMemHostAlloc", "opening", "bytes", size);
        context.owns("cuMemFreeHost", () -> cuMemFreeHost(pointer));
        bytes = pointer.getByteBuffer(0, size).order(ByteOrder.nativeOrder());
    }

    Pointer at(int offset) {
        return pointer.withByteOffset(offset);
    }

    long address() {
        return pointer.address();
    }

    private static final class HostPointer extends Pointer {
        long address() {
            return getNativePointer() + getByteOffset();
        }
    }
}
