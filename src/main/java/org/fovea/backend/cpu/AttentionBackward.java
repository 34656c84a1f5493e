package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of softmax attention, one head at a time: for each tile of queries and block of keys the probabilities are
 * made again from the log-sum-exp,
 *
 * <pre>
 * P = e^(S - logSumExp)   dP = dO V^T   dS = P (dP - delta)   delta = dO . O - dLogSumExp
 * dV += P^T dO            dQ += scale dS K                    dK += scale dS^T Q
 * </pre>
 *
 * in five products (FlashAttention-2, Dao 2023, arXiv:2307.08691).
 */
final class AttentionBackward extends AttentionPass {
    private final CpuArray output;
    private final CpuArray logSumExp;
    private final CpuArray dOutput;
    private final @Nullable CpuArray dLogSumExp;
    private final CpuArray dQuery;
    private final CpuArray dKey;
    private final CpuArray dValue;

    AttentionBackward(
            AttentionKernels kernels,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            CpuArray output,
            CpuArray logSumExp,
            CpuArray dOutput,
            @Nullable CpuArray dLogSumExp,
            CpuArray dQuery,
            CpuArray dKey,
            CpuArray dValue) {
        super(kernels, shape, spec, in);
        this.output = output;
        this.logSumExp = logSumExp;
        this.dOutput = dOutput;
        this.dLogSumExp = dLogSumExp;
        this.dQuery = dQuery;
        this.dKey = dKey;
        this.dValue = dValue;
    }

    /** Computes all gradients of one head. */
    void head(int head, AttentionScratch t) {
        t.writtenKeys = 0;
        for (int firstQuery = 0; firstQuery < shape.queries(); firstQuery += QUERIES) {
            tile(head, firstQuery, t);
        }
        clear(head, t.writtenKeys, shape.keys());
    }

    /** Sets the gradients of keys that no query sees to 0. */
    private void clear(int head, int from, int to) {
        for (int j = from; j < to; j++) {
            int key = row(dKey, head, shape.keys(), j, headDim);
            int value = row(dValue, head, shape.keys(), j, valueDim);
            Arrays.fill(dKey.floats, key, key + headDim, 0);
            Arrays.fill(dValue.floats, value, value + valueDim, 0);
        }
    }

    private void tile(int head, int firstQuery, AttentionScratch t) {
        openTile(t, head, firstQuery);
        openGradients(t);
        int rows = row(dQuery, head, shape.queries(), firstQuery, headDim);
        openSum(t, dQuery, rows, keyStride, headDim, paddedHeadDim);
        int end = t.high[t.queries - 1];
        if (t.writtenKeys < t.low[0]) {
            clear(head, t.writtenKeys, t.low[0]);
            t.writtenKeys = t.low[0];
        }
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(from, Math.min(from + KEYS, end), t);
        }
        if (!t.sumInPlace) {
            copyRows(t, t.sum, t.sumStride, dQuery, rows, keyStride, t.queries, headDim);
        }
    }

    /** Makes ready what the tile's queries bring: log-sum-exps, deltas, and padded operands. */
    private void openGradients(AttentionScratch t) {
        int queries = t.queries;
        int rows = row(dOutput, t.head, shape.queries(), t.firstQuery, valueDim);
        // The scale goes into the probabilities' gradients and so into all that comes of them.
        kernels.transpose(dOutput.floats, rows, valueStride, queries, valueDim, scale, t.floats, t.dOutputT, QUERIES);
        int delta = t.state + QUERIES;
        Arrays.fill(t.floats, delta, delta + QUERIES, 0);
        if (!t.oneBlock) {
            kernels.rowDots(
                    dOutput.floats,
                    rows,
                    valueStride,
                    output.floats,
                    row(output, t.head, shape.queries(), t.firstQuery, valueDim),
                    valueStride,
                    queries,
                    valueDim,
                    t.floats,
                    delta,
                    t.floats,
                    t.keySum);
        }
        int scalars = t.head * shape.queries() + t.firstQuery;
        for (int i = 0; i < queries; i++) {
            t.floats[t.state + i] = logSumExp.floats[logSumExp.offset + scalars + i] * LOG2_E;
            t.floats[delta + i] *= scale;
        }
        if (dLogSumExp != null) {
            for (int i = 0; i < queries; i++) {
                t.floats[delta + i] -= scale * dLogSumExp.floats[dLogSumExp.offset + scalars + i];
            }
        }
        // The lanes beyond the last query give probability 0.
        Arrays.fill(t.floats, t.state + queries, t.state + QUERIES, Float.POSITIVE_INFINITY);
        t.dOutput.set(dOutput.floats, rows, valueStride, queries, valueDim, paddedValueDim);
        int query = row(in.query(), t.head, shape.queries(), t.firstQuery, headDim);
        t.query.set(in.query().floats, query, keyStride, queries, headDim, paddedHeadDim);
    }

    private void keys(int from, int to, AttentionScratch t) {
        int key = row(in.key(), t.head, shape.keys(), from, headDim);
        int value = row(in.value(), t.head, shape.keys(), from, valueDim);
        products(t, from, to, in.key().floats, key, keyStride, headDim, t.queryT, t.scores);
        products(t, from, to, in.value().floats, value, valueStride, valueDim, t.dOutputT, t.gradients);
        t.hidden = false;
        for (int group = 0; group < t.groups; group++) {
            hideUnseen(t, from, to, group);
            int offset = (t.groupFrom - from) * QUERIES + group * lanes;
            kernels.scoreGradients(
                    t.oneBlock,
                    t.floats,
                    t.scores + offset,
                    t.floats,
                    t.gradients + offset,
                    QUERIES,
                    t.groupTo - t.groupFrom,
                    t.floats,
                    t.state + group * lanes,
                    QUERIES);
        }
        t.key.set(in.key().floats, key, keyStride, to - from, headDim, paddedHeadDim);
        boolean careful = t.hidden
                && !(t.key.allFinite(kernels, to - from, headDim)
                        && t.query.allFinite(kernels, t.queries, headDim)
                        && t.dOutput.allFinite(kernels, t.queries, valueDim));
        sumOverKeys(t, from, to, t.gradients, t.key, paddedHeadDim, careful);
        sumInto(dValue, valueStride, valueDim, t, from, to, t.scores, t.dOutput, paddedValueDim, careful);
        sumInto(dKey, keyStride, headDim, t, from, to, t.gradients, t.query, paddedHeadDim, careful);
        t.writtenKeys = Math.max(t.writtenKeys, to);
    }

    /** Takes a block's sums into the gradient of keys {@code [from, to)}: adds them or, where they are the first, stores. */
    private void sumInto(
            CpuArray target,
            int stride,
            int dim,
            AttentionScratch t,
            int from,
            int to,
            int weights,
            Operand rows,
            int paddedDim,
            boolean careful) {
        int fresh = Math.max(from, Math.min(t.writtenKeys, to));
        int old = fresh - from;
        int first = row(target, t.head, shape.keys(), from, dim);
        int firstFresh = first + old * stride;
        // Sums are made for ROWS keys from the block's start at a time, so old and new keys part there or in a copy.
        boolean inPlace = dim == paddedDim && (fresh == to || old % ROWS == 0);
        if (inPlace) {
            sumOverQueries(t, from, fresh, weights, rows, true, careful, target.floats, first, stride, dim);
            int freshWeights = weights + old * QUERIES;
            sumOverQueries(t, fresh, to, freshWeights, rows, false, careful, target.floats, firstFresh, stride, dim);
        } else {
            sumOverQueries(t, from, to, weights, rows, false, careful, t.floats, t.keySum, paddedDim, paddedDim);
            kernels.addRows(1, t.floats, t.keySum, paddedDim, target.floats, first, stride, old, dim);
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
            Operand rows,
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
