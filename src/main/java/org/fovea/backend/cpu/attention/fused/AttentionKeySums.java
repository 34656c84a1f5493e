// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;

/**
 * A pass that makes sums over queries for every key, one tile of queries after the other. The queries of a key head may be cut
 * into parts, which other threads can work on at the same time: each has sums of its own, which are added in the end.
 */
abstract class AttentionKeySums extends AttentionPass {
    final PartialKeyGradients parts;

    AttentionKeySums(AttentionKernels kernels, AttentionCall<CpuArray> call, PartialKeyGradients parts) {
        super(kernels, call);
        this.parts = parts;
    }

    /** Computes a part's share of one key head and of the query heads that share it. */
    final void keyHead(int keyHead, int part, AttentionScratch t) {
        t.part = part;
        t.writtenKeys = 0;
        int firstHead = keyHead * shape.group();
        long all = (long) shape.group() * tiles;
        int end = (int) (all * (part + 1) / parts.count());
        for (int i = (int) (all * part / parts.count()); i < end; i++) {
            tile(firstHead + i / tiles, i % tiles, t);
        }
        clear(t, firstHead, shape.keys());
    }

    /** Computes what belongs to the queries of a tile, and adds to the sums of {@code t.part}. */
    abstract void tile(int head, int tile, AttentionScratch t);

    /** Sets the sums of the keys before {@code to} to 0 that nothing was written for yet. */
    final void clear(AttentionScratch t, int head, int to) {
        CpuArray dKey = parts.dKey(t.part);
        CpuArray dValue = parts.dValue(t.part);
        for (int j = t.writtenKeys; j < to; j++) {
            int key = keyRow(dKey, head, j, headDim);
            int value = keyRow(dValue, head, j, valueDim);
            Arrays.fill(dKey.floats, key, key + headDim, 0);
            Arrays.fill(dValue.floats, value, value + valueDim, 0);
        }
        t.writtenKeys = Math.max(t.writtenKeys, to);
    }

    /**
     * Takes sums over the tile's queries into {@code target}, for keys {@code [from, to)}: adds them for keys before {@code
     * written}, and stores them for the others.
     */
    final void sumInto(
            CpuArray target,
            int stride,
            int dim,
            AttentionScratch t,
            int from,
            int to,
            int written,
            int weights,
            PaddedRows rows,
            int paddedDim,
            boolean careful) {
        int fresh = Math.max(from, Math.min(written, to));
        int old = fresh - from;
        int first = keyRow(target, t.head, from, dim);
        int firstFresh = first + old * stride;
        // Sums are made for ROWS keys from the block's start at a time, so old and new keys part there or in a copy.
        boolean inPlace = dim == paddedDim && (fresh == to || old % ROWS == 0);
        if (inPlace) {
            sumOverQueries(t, from, fresh, weights, rows, true, careful, target.floats, first, stride, dim);
            int freshWeights = weights + old * QUERIES;
            sumOverQueries(t, fresh, to, freshWeights, rows, false, careful, target.floats, firstFresh, stride, dim);
        } else {
            sumOverQueries(t, from, to, weights, rows, false, careful, t.floats, t.keySum, paddedDim, paddedDim);
            kernels.rows().addRows(1, t.floats, t.keySum, paddedDim, target.floats, first, stride, old, dim);
            copyRows(t, t.keySum + old * paddedDim, paddedDim, target, firstFresh, stride, to - fresh, dim);
        }
    }

    private static void copyRows(
            AttentionScratch t,
            int source,
            int sourceStride,
            CpuArray target,
            int first,
            int stride,
            int rows,
            int dim) {
        for (int i = 0; i < rows; i++) {
            System.arraycopy(t.floats, source + i * sourceStride, target.floats, first + i * stride, dim);
        }
    }

    /** {@code sums[key][.] = sum over seeing queries of weights[key][query] rows[query][.]} for keys {@code [from, to)}. */
    private void sumOverQueries(
            AttentionScratch t,
            int from,
            int to,
            int weights,
            PaddedRows rows,
            boolean accumulate,
            boolean careful,
            float[] sums,
            int sum,
            int stride,
            int dim) {
        if (from == to) {
            return;
        }
        boolean allSeen = firstQuerySeeing(t, to - 1) == 0 && endOfQueriesSeeing(t, from) == t.queries;
        int step = allSeen ? to - from : ROWS;
        for (int j = from; j < to; j += step) {
            int end = Math.min(j + step, to);
            int first = firstQuerySeeing(t, j);
            int count = Math.max(0, endOfQueriesSeeing(t, end - 1) - first);
            kernels.multiply(
                    accumulate,
                    careful,
                    t.floats,
                    weights + (j - from) * QUERIES + first,
                    QUERIES,
                    1,
                    rows.floats,
                    rows.offset + first * rows.stride,
                    rows.stride,
                    sums,
                    sum + (j - from) * stride,
                    stride,
                    end - j,
                    count,
                    dim);
        }
    }
}
