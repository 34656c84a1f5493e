// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The arrays of a linear layer's gradients, see {@link MathOps#linearBackward}. Those that are null are not wanted.
 *
 * @param activation whose output x is; {@link Activation#NONE} where it is none's
 * @param x [rows, in]
 * @param weight [in, out]
 * @param dy [rows, out]
 * @param added [rows, in], to dx; null for nothing
 * @param dx [rows, in], written, as are the next two
 * @param dWeight [in, out]
 * @param dBias [out]
 */
public record LinearGradients<T>(
        int rows,
        int in,
        int out,
        Activation activation,
        T x,
        T weight,
        T dy,
        @Nullable T added,
        @Nullable T dx,
        @Nullable T dWeight,
        @Nullable T dBias) {

    /** The same of other arrays. */
    public <R> LinearGradients<R> map(Function<? super T, ? extends R> change) {
        return new LinearGradients<>(
                rows,
                in,
                out,
                activation,
                change.apply(x),
                change.apply(weight),
                change.apply(dy),
                added == null ? null : change.apply(added),
                dx == null ? null : change.apply(dx),
                dWeight == null ? null : change.apply(dWeight),
                dBias == null ? null : change.apply(dBias));
    }
}
