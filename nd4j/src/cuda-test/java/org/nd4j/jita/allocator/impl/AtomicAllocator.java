// SPDX-License-Identifier: Apache-2.0
package org.nd4j.jita.allocator.impl;

import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.IdentityHashMap;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.jcublas.context.CudaContext;

/**
 * Stands in for nd4j-cuda's class of this name, without ND4J's natives: buffers of nd4j-native have a copy in the memory of
 * the (simulated) device, made in a stream of this class's own, and it is known which copy is the newest.
 */
public final class AtomicAllocator {
    private static final AtomicAllocator INSTANCE = new AtomicAllocator();

    /** A handle that can be read. */
    private static final class Stream extends CUstream {
        long handle() {
            return getNativePointer();
        }
    }

    private static final class Address extends CUdeviceptr {
        long value() {
            return getNativePointer() + getByteOffset();
        }
    }

    private static final class Copy {
        final Address device = new Address();
        boolean onDevice;
        boolean hostIsOld;
    }

    private final IdentityHashMap<DataBuffer, Copy> copies = new IdentityHashMap<>();
    private final CUcontext context = new CUcontext();
    private Stream stream = new Stream();

    private AtomicAllocator() {}

    public static AtomicAllocator getInstance() {
        return INSTANCE;
    }

    /** Works in the primary context of device 0, as the CUDA runtime does, on whatever thread. */
    private void enter() {
        assertThat(cuCtxSetCurrent(context)).isZero();
    }

    public void open() {
        copies.clear();
        CUdevice device = new CUdevice();
        assertThat(cuDeviceGet(device, 0)).isZero();
        assertThat(cuDevicePrimaryCtxRetain(context, device)).isZero();
        enter();
        stream = new Stream();
        assertThat(cuStreamCreate(stream, CUstream_flags.CU_STREAM_NON_BLOCKING))
                .isZero();
    }

    public void close() {
        enter();
        copies.values().forEach(copy -> assertThat(cuMemFree(copy.device)).isZero());
        copies.clear();
        CUdevice device = new CUdevice();
        assertThat(cuDeviceGet(device, 0)).isZero();
        assertThat(cuStreamDestroy(stream)).isZero();
        assertThat(cuDevicePrimaryCtxRelease(device)).isZero();
    }

    public CudaContext getDeviceContext() {
        return new CudaContext(new At(stream.handle(), 0));
    }

    /** Of the buffer's start, as nd4j-cuda gives it; a host's copy that is newer is brought there. */
    public Pointer getPointer(INDArray array, CudaContext context) {
        enter();
        DataBuffer buffer = root(array);
        Copy copy = copies.computeIfAbsent(buffer, key -> {
            Copy made = new Copy();
            assertThat(cuMemAlloc(made.device, bytes(key))).isZero();
            return made;
        });
        if (!copy.onDevice) {
            assertThat(cuMemcpyHtoDAsync(copy.device, jcuda.Pointer.to(host(buffer)), bytes(buffer), stream))
                    .isZero();
            copy.onDevice = true;
        }
        return new At(copy.device.value(), bytes(buffer));
    }

    public void tickDeviceWrite(INDArray array) {
        copies.get(root(array)).hostIsOld = true;
    }

    /** Whether the device has written to the array since the host looked. */
    public boolean isHostOld(INDArray array) {
        Copy copy = copies.get(root(array));
        return copy != null && copy.hostIsOld;
    }

    /** Brings an array to the host where the device's is newer. */
    public void synchronizeHostData(INDArray array) {
        enter();
        DataBuffer buffer = root(array);
        Copy copy = copies.get(buffer);
        if (copy != null && copy.hostIsOld) {
            assertThat(cuMemcpyDtoHAsync(jcuda.Pointer.to(host(buffer)), copy.device, bytes(buffer), stream))
                    .isZero();
            assertThat(cuStreamSynchronize(stream)).isZero();
            copy.hostIsOld = false;
        }
    }

    private static DataBuffer root(INDArray array) {
        DataBuffer original = array.data().originalDataBuffer();
        return original == null ? array.data() : original;
    }

    private static long bytes(DataBuffer buffer) {
        return buffer.length() * buffer.getElementSize();
    }

    private static ByteBuffer host(DataBuffer buffer) {
        return new At(buffer.pointer().address(), bytes(buffer)).asByteBuffer();
    }

    private static final class At extends BytePointer {
        At(long address, long bytes) {
            this.address = address;
            limit = bytes;
            capacity = bytes;
        }
    }
}
