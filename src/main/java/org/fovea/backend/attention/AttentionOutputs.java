// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.function.BiFunction;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * The results of {@link AttentionOps#forward}, from which its derivatives start.
 *
 * @param output in the layout of the {@link AttentionShape}, of the type of the query
 * @param logSumExp [batch, heads, queries]
 * @param state what derivatives need beyond the other two, which are rounded: {@link AttentionOps#stateSize}
 *     elements of the type of the log-sum-exp, in a layout of the backend's own. Null in a forward pass that nobody will
 *     differentiate, and where the size is 0
 */
public record AttentionOutputs<T extends DeviceArray>(
        T output, T logSumExp, @Nullable T state) {

    /** Without a state: not to be differentiated, unless the backend needs none. */
    public AttentionOutputs(T output, T logSumExp) {
        this(output, logSumExp, null);
    }

    /**
     * The same with the state that derivatives on {@code backend} need, if they need one.
     *
     * @param memory makes an array of a type and length, such as {@code scope::allocate}
     */
    public AttentionOutputs<T> withState(
            AttentionOps backend,
            AttentionCall<? extends DeviceArray> call,
            BiFunction<DType, Long, ? extends T> memory) {
        long size = backend.stateSize(call);
        return size == 0 ? this : new AttentionOutputs<>(output, logSumExp, memory.apply(logSumExp.dtype(), size));
    }

    /** The same of other arrays. */
    public <R extends DeviceArray> AttentionOutputs<R> mapNamed(NamedFunction<? super T, ? extends R> change) {
        return new AttentionOutputs<>(
                change.apply("output", output),
                change.apply("logSumExp", logSumExp),
                NamedFunction.ofNullable("state", state, change));
    }
}
