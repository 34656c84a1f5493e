// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemsetD16Async;
import static jcuda.driver.JCudaDriver.cuMemsetD32Async;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import java.util.List;
import java.util.Objects;
import jcuda.driver.CUresult;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.DeviceException;
import org.fovea.backend.memory.HalfPrecision;
import org.fovea.backend.memory.Memory;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.Readback;
import org.fovea.backend.memory.ShapeException;
import org.fovea.backend.memory.UnsupportedOnBackendException;
import org.fovea.backend.memory.UploadBlock;
import org.jspecify.annotations.Nullable;

/** Memory of the device, and the arrays behind the operands of an operation. */
public final class CudaMemory implements Memory {
    private final CudaContext context;
    private final DevicePool pool;
    private final Staging staging;
    private final StepRecorder steps;

    public CudaMemory(CudaContext context) {
        this.context = context;
        pool = new DevicePool(context);
        steps = new StepRecorder(context, pool);
        staging = new Staging(context);
    }

    /** The recorder of captured steps, which watches the operands of operations. */
    public StepRecorder steps() {
        return steps;
    }

    @Override
    public DType floatType() {
        return DType.F32;
    }

    @Override
    public DeviceArray allocate(DType dtype, long length) {
        steps.refuse("allocate");
        CudaArray array = take(dtype, length, CudaArray.Owner.CALLER);
        if (length > 0) {
            int result = cuMemsetD8Async(array.block.pointer, (byte) 0, array.bytes(), context.stream());
            if (result != CUresult.CUDA_SUCCESS) {
                DeviceException failure = context.failure(result, "cuMemsetD8Async", "allocate", "array", array);
                giveBack(List.of(array.block));
                throw failure;
            }
        }
        return array;
    }

    @Override
    public CudaScope openScope() {
        context.enter();
        return new CudaScope(this);
    }

    /** An array of unspecified contents. */
    CudaArray take(DType dtype, long length, CudaArray.Owner owner) {
        context.enter();
        if (dtype == DType.F64) {
            throw new UnsupportedOnBackendException("cuda", "F64 storage");
        }
        if (length < 0) {
            throw new IllegalArgumentException("array length must not be negative: " + length);
        }
        return new CudaArray(this, pool.take(Math.multiplyExact(length, dtype.bytes())), dtype, length, owner);
    }

    /** An array on memory that is not the pool's. */
    DeviceArray borrow(long address, DType dtype, long length) {
        context.enter();
        if (dtype == DType.F64) {
            throw new UnsupportedOnBackendException("cuda", "F64 storage");
        }
        if (address == 0 && length > 0 || address % dtype.bytes() != 0 || length < 0) {
            throw new IllegalArgumentException("borrow: " + length + " elements of " + dtype + " can't be at address "
                    + address + "; it must be a multiple of " + dtype.bytes() + " other than 0");
        }
        DeviceBlock block = new DeviceBlock(new DevicePointer(address), length * dtype.bytes());
        return new CudaArray(this, block, dtype, length, CudaArray.Owner.ANOTHER_LIBRARY);
    }

    /** Harmless after a loss, which is reported already: what is closed then closes the rest of itself too. */
    void release(CudaArray array) {
        if (context.isLost()) {
            return;
        }
        context.enter();
        steps.refuse("release");
        if (!array.isAlive()) {
            throw new IllegalStateException("this array was released before");
        }
        pool.give(array.block);
    }

    /** Ends a scope. Where the backend is closed or lost its arrays have ended already, or no longer matter. */
    void giveBack(List<DeviceBlock> blocks) {
        if (context.isUsable()) {
            context.enter();
            blocks.forEach(pool::give);
        }
    }

    @Override
    public UploadBlock allocateUploads(DType[] types, int[] lengths) {
        return new CudaUploads(this, types, lengths);
    }

    @Override
    public void upload(ByteBuffer source, DeviceArray target) {
        steps.refuse("upload");
        CudaArray to = resolve("upload", "target", target.dtype(), target);
        ByteBuffer bytes = OperandChecks.bytes(source, to);
        int elementBytes = to.dtype().bytes();
        staging.upload(to, (piece, first, count) -> piece.put(0, bytes, first * elementBytes, count * elementBytes));
    }

    @Override
    public void download(DeviceArray source, ByteBuffer target) {
        steps.refuse("download");
        CudaArray from = resolve("download", "source", source.dtype(), source);
        ByteBuffer bytes = OperandChecks.bytes(target, from);
        int elementBytes = from.dtype().bytes();
        staging.download(
                from, (piece, first, count) -> bytes.put(first * elementBytes, piece, 0, count * elementBytes));
    }

    @Override
    public void upload(float[] source, int offset, DeviceArray target) {
        steps.refuse("upload");
        CudaArray to = floating("upload", "target", target);
        Objects.checkFromIndexSize(offset, to.length(), source.length);
        DType type = to.dtype();
        staging.upload(to, (piece, first, count) -> {
            if (type == DType.F32) {
                piece.asFloatBuffer().put(source, offset + first, count);
                return;
            }
            ShortBuffer halves = piece.asShortBuffer();
            for (int i = 0; i < count; i++) {
                halves.put(i, HalfPrecision.bits(type, source[offset + first + i]));
            }
        });
    }

    @Override
    public void upload(double[] source, int offset, DeviceArray target) {
        steps.refuse("upload");
        CudaArray to = floating("upload", "target", target);
        Objects.checkFromIndexSize(offset, to.length(), source.length);
        DType type = to.dtype();
        staging.upload(to, (piece, first, count) -> {
            FloatBuffer floats = piece.asFloatBuffer();
            ShortBuffer halves = piece.asShortBuffer();
            for (int i = 0; i < count; i++) {
                double x = source[offset + first + i];
                if (type == DType.F32) {
                    floats.put(i, (float) x);
                } else {
                    halves.put(i, HalfPrecision.bits(type, x));
                }
            }
        });
    }

    @Override
    public void upload(int[] source, int offset, DeviceArray target) {
        steps.refuse("upload");
        CudaArray to = resolve("upload", "target", DType.I32, target);
        Objects.checkFromIndexSize(offset, to.length(), source.length);
        staging.upload(to, (piece, first, count) -> piece.asIntBuffer().put(source, offset + first, count));
    }

    @Override
    public void download(DeviceArray source, float[] target, int offset) {
        steps.refuse("download");
        CudaArray from = floating("download", "source", source);
        Objects.checkFromIndexSize(offset, from.length(), target.length);
        DType type = from.dtype();
        staging.download(from, (piece, first, count) -> {
            if (type == DType.F32) {
                piece.asFloatBuffer().get(target, offset + first, count);
                return;
            }
            ShortBuffer halves = piece.asShortBuffer();
            for (int i = 0; i < count; i++) {
                target[offset + first + i] = HalfPrecision.value(type, halves.get(i));
            }
        });
    }

    @Override
    public void download(DeviceArray source, double[] target, int offset) {
        steps.refuse("download");
        CudaArray from = floating("download", "source", source);
        Objects.checkFromIndexSize(offset, from.length(), target.length);
        DType type = from.dtype();
        staging.download(from, (piece, first, count) -> {
            FloatBuffer floats = piece.asFloatBuffer();
            ShortBuffer halves = piece.asShortBuffer();
            for (int i = 0; i < count; i++) {
                target[offset + first + i] =
                        type == DType.F32 ? floats.get(i) : HalfPrecision.value(type, halves.get(i));
            }
        });
    }

    @Override
    public void download(DeviceArray source, int[] target, int offset) {
        steps.refuse("download");
        CudaArray from = resolve("download", "source", DType.I32, source);
        Objects.checkFromIndexSize(offset, from.length(), target.length);
        staging.download(from, (piece, first, count) -> piece.asIntBuffer().get(target, offset + first, count));
    }

    @Override
    public Readback readback(DeviceArray source) {
        return new CudaReadback(context, this, floats("readback", "source", source));
    }

    @Override
    public void copy(DeviceArray source, DeviceArray target) {
        OperandChecks.copy(source, target);
        CudaArray from = resolve("copy", "source", source.dtype(), source);
        CudaArray to = resolve("copy", "target", target.dtype(), target);
        if (from.length() > 0) {
            int result = cuMemcpyDtoDAsync(to.pointer(), from.pointer(), from.bytes(), context.stream());
            if (result != CUresult.CUDA_SUCCESS) {
                throw context.failure(result, "cuMemcpyDtoDAsync", "copy", "from", from, "to", to);
            }
        }
    }

    @Override
    public void fill(DeviceArray target, double value) {
        CudaArray to = resolve("fill", "target", target.dtype(), target);
        if (to.length() == 0) {
            return;
        }
        boolean half = to.dtype().isHalf();
        int result;
        if (half) {
            short bits = HalfPrecision.bits(to.dtype(), value);
            result = cuMemsetD16Async(to.pointer(), bits, to.length(), context.stream());
        } else {
            int bits = to.dtype() == DType.I32 ? (int) value : Float.floatToRawIntBits((float) value);
            result = cuMemsetD32Async(to.pointer(), bits, to.length(), context.stream());
        }
        if (result != CUresult.CUDA_SUCCESS) {
            throw context.failure(result, half ? "cuMemsetD16Async" : "cuMemsetD32Async", "fill", "target", to);
        }
    }

    @Override
    public long liveBytes() {
        return pool.liveBytes();
    }

    @Override
    public long reservedBytes() {
        return pool.reservedBytes();
    }

    /** The array behind {@code array}, alive, of this backend and of the given type. */
    public CudaArray resolve(String operation, String name, DType dtype, DeviceArray array) {
        context.enter();
        if (!(array instanceof CudaArray resolved) || !resolved.belongsTo(this)) {
            throw new IllegalArgumentException(operation + ": " + name + " belongs to another backend ("
                    + array.getClass().getSimpleName() + ")");
        }
        if (!resolved.isAlive()) {
            throw new IllegalStateException(operation + ": " + name + " " + resolved
                    + " is used after its scope was closed or it was released");
        }
        if (resolved.dtype() != dtype) {
            throw new ShapeException(operation, name + " is " + resolved + ", expected elements of " + dtype);
        }
        steps.uses(resolved);
        return resolved;
    }

    /** The array of any floating type behind {@code array}. */
    public CudaArray floating(String operation, String name, DeviceArray array) {
        OperandChecks.floating(operation, name, array);
        return resolve(operation, name, array.dtype(), array);
    }

    /** The array of elements of 4 bytes, F32 or I32, behind {@code array}. */
    public CudaArray words(String operation, String name, DeviceArray array) {
        if (array.dtype().isHalf()) {
            throw new UnsupportedOnBackendException("cuda", operation + " of " + array.dtype());
        }
        return resolve(operation, name, array.dtype(), array);
    }

    /** The F32 array behind {@code array}. */
    public CudaArray floats(String operation, String name, DeviceArray array) {
        return resolve(operation, name, DType.F32, array);
    }

    /** Address of the I32 array behind {@code array}, or 0 where there is none. */
    public long addressOfIntegers(String operation, String name, @Nullable DeviceArray array) {
        return array == null ? 0 : resolve(operation, name, DType.I32, array).address();
    }
}
