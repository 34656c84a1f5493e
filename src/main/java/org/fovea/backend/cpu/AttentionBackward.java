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
        Arrays.fill(t.floats, t.sum, t.sum + t.queries * paddedHeadDim, 0);
        int end = t.high[t.queries - 1];
        if (t.writtenKeys < t.low[0]) {
            clear(head, t.writtenKeys, t.low[0]);
            t.writtenKeys = t.low[0];
        }
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(from, Math.min(from + KEYS, end), t);
        }
        Arrays.fill(t.floats, t.rowFactors, t.rowFactors + t.queries, scale);
        kernels.scaleRows(
                t.floats,
                t.sum,
                paddedHeadDim,
                t.floats,
                t.rowFactors,
                dQuery.floats,
                row(dQuery, head, shape.queries(), firstQuery, headDim),
                keyStride,
                t.queries,
                headDim);
    }

    /** Makes ready what the tile's queries bring: log-sum-exps, deltas, and padded operands. */
    private void openGradients(AttentionScratch t) {
        int queries = t.queries;
        int rows = row(dOutput, t.head, shape.queries(), t.firstQuery, valueDim);
        kernels.transpose(dOutput.floats, rows, valueStride, queries, valueDim, 1f, t.floats, t.dOutputT, QUERIES);
        int delta = t.state + QUERIES;
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
        int scalars = t.head * shape.queries() + t.firstQuery;
        for (int i = 0; i < queries; i++) {
            t.floats[t.state + i] = logSumExp.floats[logSumExp.offset + scalars + i] * LOG2_E;
        }
        if (dLogSumExp != null) {
            for (int i = 0; i < queries; i++) {
                t.floats[delta + i] -= dLogSumExp.floats[dLogSumExp.offset + scalars + i];
            }
        }
        // The lanes beyond the last query give probability 0.
        Arrays.fill(t.floats, t.state + queries, t.state + QUERIES, Float.POSITIVE_INFINITY);
        Arrays.fill(t.floats, delta + queries, delta + QUERIES, 0);
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
        sumOverQueries(t, from, to, t.scores, t.dOutput, paddedValueDim, careful);
        write(t, from, to, 1, paddedValueDim, dValue, valueStride, valueDim);
        sumOverQueries(t, from, to, t.gradients, t.query, paddedHeadDim, careful);
        write(t, from, to, scale, paddedHeadDim, dKey, keyStride, headDim);
        t.writtenKeys = Math.max(t.writtenKeys, to);
    }

    /** Takes a block's sums into the gradient of keys {@code [from, to)}: adds them or, where they are the first, stores. */
    private void write(
            AttentionScratch t, int from, int to, float factor, int sumStride, CpuArray target, int stride, int dim) {
        int fresh = Math.max(from, Math.min(t.writtenKeys, to));
        int first = row(target, t.head, shape.keys(), from, dim);
        kernels.addRows(factor, t.floats, t.keySum, sumStride, target.floats, first, stride, fresh - from, dim);
        Arrays.fill(t.floats, t.rowFactors, t.rowFactors + to - fresh, factor);
        kernels.scaleRows(
                t.floats,
                t.keySum + (fresh - from) * sumStride,
                sumStride,
                t.floats,
                t.rowFactors,
                target.floats,
                first + (fresh - from) * stride,
                stride,
                to - fresh,
                dim);
    }

    /** {@code keySum[key][.] = sum over seeing queries of weights[key][query] rows[query][.]} for keys {@code [from, to)}. */
    private void sumOverQueries(
            AttentionScratch t, int from, int to, int weights, Operand rows, int dim, boolean careful) {
        boolean allSeen = firstQuerySeeing(t, to - 1) == 0 && endOfQueriesSeeing(t, from) == t.queries;
        int step = allSeen ? to - from : ROWS;
        for (int j = from; j < to; j += step) {
            int end = Math.min(j + step, to);
            int first = firstQuerySeeing(t, j);
            int count = Math.max(0, endOfQueriesSeeing(t, end - 1) - first);
            kernels.multiply(
                    false,
                    careful,
                    t.floats,
                    weights + (j - from) * QUERIES + first,
                    QUERIES,
                    1,
                    rows.floats,
                    rows.offset + first * rows.stride,
                    rows.stride,
                    t.floats,
                    t.keySum + (j - from) * dim,
                    dim,
                    end - j,
                    count,
                    dim);
        }
    }
}
