// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.function.Function;

/**
 * One decoding step: attention of one new query per batch row over the {@code counts[b]} most recent slots of its ring buffer, or
 * over all if it has fewer. A count of 0 gives output 0. Where a row stands is read when the operation runs, so that one captured
 * step serves every position.
 *
 * @param spec similarity, scale and softcap; it must not ask for anything else
 * @param query [batch, heads, headDim]
 * @param keyCache [batch, capacity, heads, headDim]
 * @param valueCache [batch, capacity, heads, valueDim]
 * @param counts I32 [batch], not negative
 * @param positions I32 [batch], not negative: the newest keys and values of row b are in slot {@code positions[b] mod capacity}
 */
public record DecodeCall<T>(
        DecodeShape shape, AttentionSpec spec, T query, T keyCache, T valueCache, T counts, T positions) {

    /** The same of other arrays. */
    public <R> DecodeCall<R> map(Function<? super T, ? extends R> change) {
        return new DecodeCall<>(
                shape,
                spec,
                change.apply(query),
                change.apply(keyCache),
                change.apply(valueCache),
                change.apply(counts),
                change.apply(positions));
    }
}
