// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.function.Function;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.Memory;

/**
 * Something added to every score of an attention, in one of two forms:
 *
 * <ul>
 *   <li>by pair, [batch, heads, queries, keys] in row-major order; an axis may have length 1 and then holds for all
 *   <li>by relative position, [batch, heads, 2 reach + 1], batch and heads likewise: element {@code reach + clamp(p, -reach,
 *       reach)} is for a key p positions after the query, positions being those of {@link AttentionSpec}
 * </ul>
 *
 * @param array of {@link Memory#floatType()}, or {@link DType#F64} where the query is
 * @param queries 1 where the term is by relative position, and so is {@code keys}
 * @param reach positions farther than this share the number at it; {@link #BY_PAIR} if the term is not relative
 */
public record ScoreBias<T>(T array, int batch, int heads, int queries, int keys, int reach) {

    /** The reach of a term by pair. */
    public static final int BY_PAIR = -1;

    /** Checks the reach. */
    public ScoreBias {
        if (reach < BY_PAIR || reach > (Integer.MAX_VALUE - 1) / 2) {
            throw new IllegalArgumentException("a term of attention scores can't reach " + reach + " positions");
        }
        if (reach != BY_PAIR && (queries != 1 || keys != 1)) {
            throw new IllegalArgumentException(
                    "a term of attention scores is by relative position or by query and key");
        }
    }

    /** A term by pair. */
    public ScoreBias(T array, int batch, int heads, int queries, int keys) {
        this(array, batch, heads, queries, keys, BY_PAIR);
    }

    /** A term by relative position. */
    public static <T> ScoreBias<T> relative(T array, int batch, int heads, int reach) {
        return new ScoreBias<>(array, batch, heads, 1, 1, reach);
    }

    /** Whether the term is by relative position. */
    public boolean isRelative() {
        return reach != BY_PAIR;
    }

    /** Of the array. */
    public int[] extents() {
        return isRelative() ? new int[] {batch, heads, 2 * reach + 1} : new int[] {batch, heads, queries, keys};
    }

    /** Elements of the array. */
    public long size() {
        return (long) batch * heads * matrix();
    }

    /** Elements for one head. */
    private long matrix() {
        return isRelative() ? 2L * reach + 1 : (long) queries * keys;
    }

    /** From a row of the batch to the next, 0 if there is but one for all. */
    public long batchStride() {
        return batch == 1 ? 0 : heads * matrix();
    }

    /** From a head to the next, 0 if there is but one for all. */
    public long headStride() {
        return heads == 1 ? 0 : matrix();
    }

    /** From a query to the next, 0 if there is but one for all. */
    public long queryStride() {
        return queries == 1 ? 0 : keys;
    }

    /** From a key to the next, 0 if there is but one for all. */
    public int keyStride() {
        return keys == 1 ? 0 : 1;
    }

    /** The same of another array. */
    public <R> ScoreBias<R> map(Function<? super T, ? extends R> change) {
        return new ScoreBias<>(change.apply(array), batch, heads, queries, keys, reach);
    }
}
