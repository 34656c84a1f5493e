// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import java.util.function.Function;

/**
 * The arrays that layer normalisation shares with its gradients.
 *
 * @param x [rows, width]
 * @param gain [width]
 * @param mean [rows], written by the forward pass and read by the backward pass, as is reciprocalStd
 * @param reciprocalStd [rows], {@code 1 / sqrt(variance + epsilon)}
 */
public record LayerNormArgs<T>(int rows, int width, T x, T gain, T mean, T reciprocalStd) {

    /** The same of other arrays. */
    public <R> LayerNormArgs<R> map(Function<? super T, ? extends R> change) {
        return new LayerNormArgs<>(
                rows, width, change.apply(x), change.apply(gain), change.apply(mean), change.apply(reciprocalStd));
    }
}
