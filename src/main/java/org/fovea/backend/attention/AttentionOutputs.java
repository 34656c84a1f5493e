package org.fovea.backend.attention;

import java.util.function.BiFunction;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * What {@link AttentionOps#forward} writes, and its derivatives start from.
 *
 * @param output in the layout of the {@link AttentionShape}, of the type of the query
 * @param logSumExp [batch, heads, queries]
 * @param state what derivatives need beyond the other two, which are rounded: {@link AttentionOps#stateSize}
 *     elements of the type of the log-sum-exp, in a layout of the backend's own. Null in a forward pass that nobody will
 *     differentiate, and where the size is 0
 */
public record AttentionOutputs(
        DeviceArray output, DeviceArray logSumExp, @Nullable DeviceArray state) {

    /** Without a state: not to be differentiated, unless the backend needs none. */
    public AttentionOutputs(DeviceArray output, DeviceArray logSumExp) {
        this(output, logSumExp, null);
    }

    /**
     * The same with the state that derivatives on {@code backend} need, if they need one.
     *
     * @param memory makes an array of a type and length, such as {@code scope::allocate}
     */
    public AttentionOutputs withState(
            AttentionOps backend,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            BiFunction<DType, Long, DeviceArray> memory) {
        long size = backend.stateSize(shape, spec, in);
        return size == 0 ? this : new AttentionOutputs(output, logSumExp, memory.apply(logSumExp.dtype(), size));
    }
}
