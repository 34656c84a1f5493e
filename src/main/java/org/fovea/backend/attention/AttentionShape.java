// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import org.fovea.backend.memory.ShapeException;

/**
 * Extents of a batch of attentions. Batch, heads, queries and keys may be any non-negative number; head dims go from 1 to
 * 256.
 *
 * @param heads of queries and outputs
 * @param keyHeads of keys and values: query head h reads key head {@code h / (heads / keyHeads)}
 * @param headDim length of a query and of a key
 * @param valueDim length of a value and of an output
 * @param layout order of the axes of query, key, value, output and their gradients; the log-sum-exp is always [batch,
 *     heads, queries]
 */
public record AttentionShape(
        int batch, int heads, int keyHeads, int queries, int keys, int headDim, int valueDim, Layout layout) {

    /** Longest head dim of keys and of values. */
    public static final int MAX_HEAD_DIM = 256;

    /** Order of axes. */
    public enum Layout {
        /** [batch, heads, rows, dim], what PyTorch's scaled_dot_product_attention takes */
        BHND,
        /** [batch, rows, heads, dim], what a projection of a sequence gives without a transposition */
        BNHD
    }

    /** Checks the extents. */
    public AttentionShape {
        if (batch < 0 || heads < 0 || keyHeads < 0 || queries < 0 || keys < 0) {
            throw new ShapeException(
                    "attention",
                    "extents must not be negative: batch " + batch + ", heads " + heads + ", keyHeads " + keyHeads
                            + ", queries " + queries + ", keys " + keys);
        }
        if (keyHeads == 0 ? heads != 0 : heads % keyHeads != 0) {
            throw new ShapeException(
                    "attention",
                    heads + " query heads can't share " + keyHeads + " key heads evenly; heads must be a multiple");
        }
        if (headDim < 1 || headDim > MAX_HEAD_DIM || valueDim < 1 || valueDim > MAX_HEAD_DIM) {
            throw new ShapeException(
                    "attention",
                    "head dims must be from 1 to " + MAX_HEAD_DIM + ": headDim " + headDim + ", valueDim " + valueDim);
        }
    }

    /** Every query head with a key head of its own. */
    public AttentionShape(int batch, int heads, int queries, int keys, int headDim, int valueDim, Layout layout) {
        this(batch, heads, heads, queries, keys, headDim, valueDim, layout);
    }

    /** Query heads that share a key head. */
    public int group() {
        return keyHeads == 0 ? 1 : heads / keyHeads;
    }

    /** Elements of the query. */
    public long querySize() {
        return (long) batch * heads * queries * headDim;
    }

    /** Elements of the key. */
    public long keySize() {
        return (long) batch * keyHeads * keys * headDim;
    }

    /** Elements of the value. */
    public long valueSize() {
        return (long) batch * keyHeads * keys * valueDim;
    }

    /** Elements of the output. */
    public long outputSize() {
        return (long) batch * heads * queries * valueDim;
    }

    /** Elements of the log-sum-exp. */
    public long logSumExpSize() {
        return (long) batch * heads * queries;
    }
}
