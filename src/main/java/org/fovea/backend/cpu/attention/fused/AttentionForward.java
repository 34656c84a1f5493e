// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/** Softmax attention over tiles of queries, keys passing by in blocks (FlashAttention-2, Dao 2023, arXiv:2307.08691). */
final class AttentionForward extends AttentionPass {
    /** Where in the state the rows' maxima stay when log-sum-exps take their place. */
    private static final int MAXIMUM = 3 * QUERIES;

    private final CpuArray output;
    private final CpuArray logSumExp;
    private final @Nullable CpuArray saved;

    AttentionForward(
            AttentionKernels kernels,
            AttentionCall<CpuArray> call,
            CpuArray output,
            CpuArray logSumExp,
            @Nullable CpuArray saved) {
        super(kernels, call);
        this.output = output;
        this.logSumExp = logSumExp;
        this.saved = saved;
    }

    /** Computes outputs and log-sum-exps of a tile's queries. */
    void tile(int head, int tile, AttentionScratch t) {
        openTile(t, head, tile);
        // The sink is the first score, one without a value.
        float sink = sink(t);
        Arrays.fill(t.floats, t.state, t.state + QUERIES, sink);
        Arrays.fill(t.floats, t.state + QUERIES, t.state + 2 * QUERIES, sink == Float.NEGATIVE_INFINITY ? 0 : 1);
        int rows = queryRow(output, head, t.firstQuery, valueDim);
        openSums(t, t.outputSums, t.oneBlock, output, rows, outputStride, valueDim, paddedValueDim);
        int end = t.high[t.queries - 1];
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(false, from, Math.min(from + KEYS, end), t);
        }
        finish(t);
    }

    /**
     * Adds up the values of keys {@code [from, to)}.
     *
     * @param normalized whether the weights are probabilities, of maxima and sums that are known
     */
    private void keys(boolean normalized, int from, int to, AttentionScratch t) {
        int key = keyRow(in.key(), t.head, from, headDim);
        int value = keyRow(in.value(), t.head, from, valueDim);
        fetchKeys(t, in.key(), from, to, keyStride, headDim);
        fetchKeys(t, in.value(), from, to, valueStride, valueDim);
        products(t, false, from, to, in.key().floats, key, keyStride, headDim, t.queryT, t.scores);
        t.hidden = false;
        for (int group = 0; group < t.groups; group++) {
            hideUnseen(t, from, to, group);
            if (t.groupFrom < t.groupTo) {
                int lane = group * lanes;
                int scores = t.scores + (t.groupFrom - from) * QUERIES + lane;
                boolean grew = normalized ? probabilities(scores, lane, t) : softmax(scores, lane, t);
                if (dropout != null) {
                    dropout.draw(t, lane);
                    dropout.apply(t, scores);
                }
                if (grew && t.low[lane] < from) {
                    rescale(lane, t);
                }
            }
        }
        t.value.set(in.value().floats, value, valueStride, to - from, valueDim, paddedValueDim);
        boolean careful = t.hidden && !t.value.allFinite(kernels, to - from, valueDim);
        sumOverKeys(t, t.outputSums, from > t.low[0], from, to, t.scores, t.value, paddedValueDim, careful);
    }

    private boolean softmax(int scores, int lane, AttentionScratch t) {
        return kernels.onlineSoftmax(
                t.floats, scores, QUERIES, t.groupTo - t.groupFrom, t.floats, t.state + lane, QUERIES);
    }

    private boolean probabilities(int scores, int lane, AttentionScratch t) {
        kernels.scoreGradients(
                false,
                t.floats,
                scores,
                t.floats,
                t.gradients + scores - t.scores,
                QUERIES,
                t.groupTo - t.groupFrom,
                t.floats,
                t.state + lane,
                QUERIES);
        return false;
    }

    private void rescale(int lane, AttentionScratch t) {
        RowAccumulator sums = t.outputSums;
        int sum = sums.offset + lane * sums.stride;
        kernels.rows()
                .scaleRows(
                        sums.floats,
                        sum,
                        sums.stride,
                        t.floats,
                        t.state + 2 * QUERIES + lane,
                        sums.floats,
                        sum,
                        sums.stride,
                        Math.min(lanes, t.queries - lane),
                        paddedValueDim);
    }

    private void finish(AttentionScratch t) {
        System.arraycopy(t.floats, t.state, t.floats, t.state + MAXIMUM, QUERIES);
        for (int group = 0; group < t.groups; group++) {
            kernels.finishSoftmax(t.floats, t.state + group * lanes, QUERIES);
        }
        if (saved != null) {
            save(t, saved);
        }
        System.arraycopy(
                t.floats,
                t.state,
                logSumExp.floats,
                logSumExp.offset + t.head * shape.queries() + t.firstQuery,
                t.queries);
        int row = queryRow(output, t.head, t.firstQuery, valueDim);
        kernels.rows()
                .scaleRows(
                        t.outputSums.floats,
                        t.outputSums.offset,
                        t.outputSums.stride,
                        t.floats,
                        t.state + QUERIES,
                        output.floats,
                        row,
                        outputStride,
                        t.queries,
                        valueDim);
        if (!kernels.rows().allFinite(output.floats, row, outputStride, t.queries, valueDim)) {
            sumNormalized(row, t);
        }
    }

    /**
     * Makes the outputs that are not finite again, of weights that add up to 1: of values near the largest number a sum overflows
     * before it can be divided.
     */
    private void sumNormalized(int row, AttentionScratch t) {
        for (int i = 0; i < QUERIES; i++) {
            float inverse = t.floats[t.state + QUERIES + i];
            t.floats[t.state + INVERSE + i] = inverse;
            t.floats[t.state + i] = inverse == 0 ? Float.POSITIVE_INFINITY : t.floats[t.state + MAXIMUM + i];
        }
        RowAccumulator sums = t.outputSums;
        openSums(t, sums, false, output, row, outputStride, valueDim, paddedValueDim);
        int end = t.high[t.queries - 1];
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(true, from, Math.min(from + KEYS, end), t);
        }
        for (int i = 0; i < t.queries; i++) {
            int target = row + i * outputStride;
            if (!kernels.rows().allFinite(output.floats, target, outputStride, 1, valueDim)) {
                System.arraycopy(sums.floats, sums.offset + i * sums.stride, output.floats, target, valueDim);
            }
        }
    }

    /**
     * Keeps the rows' maxima and the inverses of their sums: of a log-sum-exp, rounded, probabilities could
     * be made that don't add up to 1. Rows without any have an infinite maximum, which gives all scores probability 0.
     */
    private void save(AttentionScratch t, CpuArray target) {
        int rows = Math.toIntExact(shape.logSumExpSize());
        int row = target.offset + t.head * shape.queries() + t.firstQuery;
        System.arraycopy(t.floats, t.state + MAXIMUM, target.floats, row, t.queries);
        System.arraycopy(t.floats, t.state + QUERIES, target.floats, row + rows, t.queries);
        for (int i = 0; i < t.queries; i++) {
            if (t.floats[t.state + QUERIES + i] == 0) {
                target.floats[row + i] = Float.POSITIVE_INFINITY;
            }
        }
    }
}
