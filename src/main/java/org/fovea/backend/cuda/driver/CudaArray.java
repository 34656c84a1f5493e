// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

import java.util.Objects;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** A run of elements in device memory. */
public final class CudaArray implements DeviceArray {

    /** The party that may end an array. */
    enum Owner {
        CALLER,
        SCOPE,
        VIEW,
        ANOTHER_LIBRARY
    }

    private final CudaMemory memory;
    final DeviceBlock block;
    private final long generation;
    private final DType dtype;
    private final long address;
    private final long length;
    private final Owner owner;
    private @Nullable DevicePointer pointer;

    CudaArray(CudaMemory memory, DeviceBlock block, DType dtype, long length, Owner owner) {
        this(memory, block, block.generation, dtype, block.pointer.address(), length, owner);
    }

    private CudaArray(
            CudaMemory memory,
            DeviceBlock block,
            long generation,
            DType dtype,
            long address,
            long length,
            Owner owner) {
        this.memory = memory;
        this.block = block;
        this.generation = generation;
        this.dtype = dtype;
        this.address = address;
        this.length = length;
        this.owner = owner;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public long length() {
        return length;
    }

    /** On the device. */
    public long address() {
        return address;
    }

    /** {@link #address} as JCuda takes it. */
    DevicePointer pointer() {
        DevicePointer made = pointer;
        if (made == null) {
            made = new DevicePointer(address);
            pointer = made;
        }
        return made;
    }

    long bytes() {
        return length * dtype.bytes();
    }

    boolean belongsTo(CudaMemory other) {
        return memory == other;
    }

    @Override
    public DeviceArray slice(long offset, long sliceLength) {
        return view(dtype, offset, sliceLength);
    }

    /** A view of another type of the same size, elements {@code [offset, offset + viewLength)}. */
    CudaArray view(DType type, long offset, long viewLength) {
        Objects.checkFromIndexSize(offset, viewLength, length);
        return new CudaArray(memory, block, generation, type, address + offset * dtype.bytes(), viewLength, Owner.VIEW);
    }

    @Override
    public boolean isAlive() {
        return block.generation == generation;
    }

    @Override
    public void release() {
        switch (owner) {
            case VIEW ->
                throw new IllegalStateException("a view can't be released; release the array it is a slice of");
            case SCOPE ->
                throw new IllegalStateException("this array belongs to a scope and ends with it; it can't be released");
            case ANOTHER_LIBRARY -> block.generation++;
            case CALLER -> memory.release(this);
        }
    }

    /** Whether the two share at least one byte. */
    private boolean overlaps(CudaArray other) {
        return address < other.address + other.bytes() && other.address < address + bytes();
    }

    /** Whether the two are the same elements. */
    private boolean coincides(CudaArray other) {
        return address == other.address && length == other.length;
    }

    /** Refuses an output that shares elements with an input. */
    public static void requireApart(String operation, CudaArray out, CudaArray... inputs) {
        for (CudaArray in : inputs) {
            requireApart(operation, out, in);
        }
    }

    // For few inputs without an array of them: this comes before every launch.

    public static void requireApart(String operation, CudaArray out, CudaArray in) {
        if (out.overlaps(in)) {
            throw new IllegalArgumentException(operation + ": output " + out + " overlaps input " + in);
        }
    }

    public static void requireApart(String operation, CudaArray out, CudaArray first, CudaArray second) {
        requireApart(operation, out, first);
        requireApart(operation, out, second);
    }

    public static void requireApart(
            String operation, CudaArray out, CudaArray first, CudaArray second, CudaArray third) {
        requireApart(operation, out, first, second);
        requireApart(operation, out, third);
    }

    public static void requireApart(
            String operation, CudaArray out, CudaArray first, CudaArray second, CudaArray third, CudaArray fourth) {
        requireApart(operation, out, first, second);
        requireApart(operation, out, third, fourth);
    }

    public static void requireApart(
            String operation,
            CudaArray out,
            CudaArray first,
            CudaArray second,
            CudaArray third,
            CudaArray fourth,
            CudaArray fifth) {
        requireApart(operation, out, first, second, third);
        requireApart(operation, out, fourth, fifth);
    }

    /** Refuses an output that shares elements with an input without being the very same. */
    public static void requireApartOrSame(String operation, CudaArray out, CudaArray in) {
        if (out.overlaps(in) && !out.coincides(in)) {
            throw new IllegalArgumentException(
                    operation + ": output " + out + " overlaps input " + in + " without being the same");
        }
    }

    @Override
    public String toString() {
        return dtype + "[" + length + "]" + (isAlive() ? "" : " (ended)");
    }
}
