// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** The arrays of one operation, which were checked to fit: finds each on the device, once, as what is read or what is written. */
public final class CudaOperands {
    private final CudaMemory memory;
    private final String operation;
    private final List<CudaArray> read = new ArrayList<>();
    private final List<CudaArray> written = new ArrayList<>();

    public CudaOperands(CudaMemory memory, String operation) {
        this.memory = memory;
        this.operation = operation;
    }

    String operation() {
        return operation;
    }

    private CudaArray find(List<CudaArray> list, String name, DeviceArray array) {
        CudaArray found = memory.resolve(operation, name, array.dtype(), array);
        list.add(found);
        return found;
    }

    /** What attention is asked of. */
    public AttentionCall<CudaArray> read(AttentionCall<DeviceArray> call) {
        return call.mapNamed((name, x) -> find(read, name, x));
    }

    /** Outputs that a derivative starts from. */
    public AttentionOutputs<CudaArray> read(AttentionOutputs<DeviceArray> out) {
        return out.mapNamed((name, x) -> find(read, name, x));
    }

    /**
     * The arrays of a plane that are read.
     *
     * @param role what they are, before the names of its parts
     */
    public AttentionPlane<CudaArray> read(String role, AttentionPlane<DeviceArray> plane) {
        return plane.mapNamed((name, x) -> find(read, role + name, x));
    }

    /** Outputs of a forward pass. */
    public AttentionOutputs<CudaArray> written(AttentionOutputs<DeviceArray> out) {
        return out.mapNamed((name, x) -> find(written, name, x));
    }

    /** Likewise of results. */
    public AttentionPlane<CudaArray> written(String role, AttentionPlane<DeviceArray> plane) {
        return plane.mapNamed((name, x) -> find(written, role + name, x));
    }

    CudaArray written(String name, DeviceArray array) {
        return find(written, name, array);
    }

    /** No result shares elements with an operand or with another result. */
    public void requireApart() {
        for (int i = 0; i < written.size(); i++) {
            for (CudaArray other : read) {
                CudaArray.requireApart(operation, written.get(i), other);
            }
            for (CudaArray other : written.subList(0, i)) {
                CudaArray.requireApart(operation, written.get(i), other);
            }
        }
    }

    /** Of an array that may be missing: 0 if it is. */
    public static long address(@Nullable CudaArray array) {
        return array == null ? 0 : array.address();
    }
}
