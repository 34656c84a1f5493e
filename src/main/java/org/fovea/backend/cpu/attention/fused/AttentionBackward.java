// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static java.util.Objects.requireNonNull;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of softmax attention, one head at a time: for each tile of queries and block of keys the probabilities are
 * recomputed from the row's maximum and sum,
 *
 * <pre>
 * P = e^(S - max) / sum   dP = dO V^T   dS = P (dP - delta)   delta = dO . O - dLogSumExp
 * dV += P^T dO            dQ += scale dS K                    dK += scale dS^T Q
 * </pre>
 *
 * in five products (FlashAttention-2, Dao 2023, arXiv:2307.08691). With dropout its factors multiply dP, and P in dV; with a
 * softcap its slopes multiply dS at last.
 */
final class AttentionBackward extends AttentionKeySums {
    /** A probability that is most of a row's. */
    private static final double SHARP = 0.5;

    private final CpuArray output;
    private final CpuArray saved;
    private final CpuArray dOutput;
    private final @Nullable CpuArray dLogSumExp;
    private final CpuArray dQuery;
    private final @Nullable BiasGradient dBias;

    /**
     * @param results written, where they are not sums over queries
     * @param parts where these are made
     */
    AttentionBackward(
            AttentionKernels kernels,
            AttentionCall<CpuArray> call,
            CpuArray output,
            CpuArray saved,
            AttentionPlane<CpuArray> dOutputs,
            AttentionPlane<CpuArray> results,
            PartialKeyGradients parts) {
        super(kernels, call, parts);
        this.output = output;
        this.saved = saved;
        dOutput = requireNonNull(dOutputs.output());
        dLogSumExp = dOutputs.logSumExp();
        dQuery = requireNonNull(results.query());
        dBias = parts.dBias();
    }

    @Override
    void tile(int head, int tile, AttentionScratch t) {
        openTile(t, head, tile);
        openGradients(t);
        int rows = queryRow(dQuery, head, t.firstQuery, headDim);
        openSums(t, t.querySums, t.oneBlock, dQuery, rows, queryStride, headDim, paddedHeadDim);
        int end = t.high[t.queries - 1];
        if (sumsDeltas(t)) {
            for (int from = t.low[0]; from < end; from += KEYS) {
                addToDeltas(from, Math.min(from + KEYS, end), t);
            }
        }
        clear(t, head, t.low[0]);
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(from, Math.min(from + KEYS, end), t);
        }
        if (parts.wantsSinks()) {
            addSinkGradient(t);
        }
        t.querySums.store(dQuery, rows, queryStride, t.queries, headDim);
    }

    private void addSinkGradient(AttentionScratch t) {
        for (int i = 0; i < t.queries; i++) {
            double p = sinkProbability(t, i);
            // The gradients of a query that sees nothing may be NaN.
            parts.addToSink(t.part, t.head, p == 0 ? 0 : -p * t.floats[t.state + QUERIES + i] / scale);
        }
    }

    /** Makes ready what the tile's queries bring: log-sum-exps, deltas, and padded operands. */
    private void openGradients(AttentionScratch t) {
        int queries = t.queries;
        int rows = queryRow(dOutput, t.head, t.firstQuery, valueDim);
        fetchQueries(t, dOutput, outputStride, valueDim);
        // The scale goes into the probabilities' gradients and so into all that comes of them.
        kernels.transpose(dOutput.floats, rows, outputStride, queries, valueDim, scale, t.floats, t.dOutputT, QUERIES);
        int delta = t.state + QUERIES;
        Arrays.fill(t.floats, delta, delta + QUERIES, 0);
        openRowSums(t, saved);
        // A row that sees no key has an output of 0, whatever its gradient, which may be NaN.
        if (!t.oneBlock && !sumsDeltas(t)) {
            fetchQueries(t, output, outputStride, valueDim);
            kernels.rows()
                    .rowDots(
                            dOutput.floats,
                            rows,
                            outputStride,
                            output.floats,
                            queryRow(output, t.head, t.firstQuery, valueDim),
                            outputStride,
                            queries,
                            valueDim,
                            t.floats,
                            delta,
                            t.floats,
                            t.keySum);
            for (int i = 0; i < queries; i++) {
                if (Float.isNaN(t.floats[delta + i])) {
                    t.floats[delta + i] = carefulDot(
                            queryRow(dOutput, t.head, t.firstQuery + i, valueDim),
                            queryRow(output, t.head, t.firstQuery + i, valueDim));
                }
            }
        }
        int scalars = t.head * shape.queries() + t.firstQuery;
        for (int i = 0; i < queries; i++) {
            t.floats[delta + i] *= scale;
        }
        if (dLogSumExp != null) {
            for (int i = 0; i < queries; i++) {
                t.floats[delta + i] -= scale * dLogSumExp.floats[dLogSumExp.offset + scalars + i];
            }
        }
        t.dOutput.set(dOutput.floats, rows, outputStride, queries, valueDim, paddedValueDim);
        int query = queryRow(in.query(), t.head, t.firstQuery, headDim);
        t.query.set(in.query().floats, query, queryStride, queries, headDim, paddedHeadDim);
    }

    /**
     * Whether delta is the sum over keys of P dP, made beforehand, in place of dO . O. Where one key has most of a query's
     * probability, its dP - delta cancels, and what is left must not be the difference of two ways of rounding.
     */
    private boolean sumsDeltas(AttentionScratch t) {
        for (int i = 0; i < t.queries && !t.oneBlock; i++) {
            if (t.floats[t.state + INVERSE + i] > SHARP && sinkProbability(t, i) < SHARP) {
                return true;
            }
        }
        return false;
    }

    private void addToDeltas(int from, int to, AttentionScratch t) {
        computeScores(from, to, t);
        for (int group = 0; group < t.groups; group++) {
            hideUnseen(t, from, to, group);
            computeGradients(true, from, group, t);
        }
    }

    /** Computes the products that scores and gradients of probabilities are. */
    private void computeScores(int from, int to, AttentionScratch t) {
        int key = keyRow(in.key(), t.head, from, headDim);
        int value = keyRow(in.value(), t.head, from, valueDim);
        products(t, false, from, to, in.key().floats, key, keyStride, headDim, t.queryT, t.scores);
        products(t, false, from, to, in.value().floats, value, valueStride, valueDim, t.dOutputT, t.gradients);
    }

    /** Makes them probabilities and gradients of scores. */
    private void computeGradients(boolean wholeRows, int from, int group, AttentionScratch t) {
        int offset = (t.groupFrom - from) * QUERIES + group * lanes;
        if (dropout != null) {
            dropout.draw(t, group * lanes);
            dropout.apply(t, t.gradients + offset);
        }
        kernels.scoreGradients(
                wholeRows,
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

    /** Of a row of dOutput and one of the output, of which zeros take nothing of the other. */
    private float carefulDot(int dRow, int row) {
        float sum = 0;
        for (int j = 0; j < valueDim; j++) {
            float x = output.floats[row + j];
            sum += x == 0 ? 0 : x * dOutput.floats[dRow + j];
        }
        return sum;
    }

    private void keys(int from, int to, AttentionScratch t) {
        int key = keyRow(in.key(), t.head, from, headDim);
        fetchKeys(t, in.key(), from, to, keyStride, headDim);
        fetchKeys(t, in.value(), from, to, valueStride, valueDim);
        computeScores(from, to, t);
        t.hidden = false;
        for (int group = 0; group < t.groups; group++) {
            hideUnseen(t, from, to, group);
            int offset = (t.groupFrom - from) * QUERIES + group * lanes;
            computeGradients(t.oneBlock, from, group, t);
            if (dropout != null) {
                dropout.apply(t, t.scores + offset);
            }
            if (softcap != null) {
                softcap.capGradients(t, t.gradients + offset);
            }
            if (dBias != null) {
                dBias.add(t, 1 / scale, t.gradients + offset, group * lanes, lanes);
            }
        }
        t.key.set(in.key().floats, key, keyStride, to - from, headDim, paddedHeadDim);
        boolean careful = t.hidden
                && !(t.key.allFinite(kernels, to - from, headDim)
                        && t.query.allFinite(kernels, t.queries, headDim)
                        && t.dOutput.allFinite(kernels, t.queries, valueDim));
        sumOverKeys(t, t.querySums, from > t.low[0], from, to, t.gradients, t.key, paddedHeadDim, careful);
        CpuArray dKey = parts.dKey(t.part);
        CpuArray dValue = parts.dValue(t.part);
        int written = t.writtenKeys;
        sumInto(dValue, valueStride, valueDim, t, from, to, written, t.scores, t.dOutput, paddedValueDim, careful);
        sumInto(dKey, keyStride, headDim, t, from, to, written, t.gradients, t.query, paddedHeadDim, careful);
        t.writtenKeys = Math.max(written, to);
    }
}
