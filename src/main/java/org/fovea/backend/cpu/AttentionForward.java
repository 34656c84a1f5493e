package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;

/** Softmax attention over tiles of queries, keys passing by in blocks (FlashAttention-2, Dao 2023, arXiv:2307.08691). */
final class AttentionForward extends AttentionPass {
    private final CpuArray output;
    private final CpuArray logSumExp;

    AttentionForward(
            AttentionKernels kernels,
            AttentionShape shape,
            AttentionSpec spec,
            AttentionArrays in,
            CpuArray output,
            CpuArray logSumExp) {
        super(kernels, shape, spec, in);
        this.output = output;
        this.logSumExp = logSumExp;
    }

    /** Computes outputs and log-sum-exps of a tile's queries. */
    void tile(int head, int tile, AttentionScratch t) {
        openTile(t, head, tile);
        Arrays.fill(t.floats, t.state, t.state + QUERIES, Float.NEGATIVE_INFINITY);
        Arrays.fill(t.floats, t.state + QUERIES, t.state + 2 * QUERIES, 0);
        int rows = queryRow(output, head, t.firstQuery, valueDim);
        openSums(t, t.outputSums, t.oneBlock, output, rows, outputStride, valueDim, paddedValueDim);
        int end = t.high[t.queries - 1];
        for (int from = t.low[0]; from < end; from += KEYS) {
            keys(from, Math.min(from + KEYS, end), t);
        }
        finish(t);
    }

    private void keys(int from, int to, AttentionScratch t) {
        int key = keyRow(in.key(), t.head, from, headDim);
        int value = keyRow(in.value(), t.head, from, valueDim);
        fetchKeys(t, in.key(), from, to, keyStride, headDim);
        fetchKeys(t, in.value(), from, to, valueStride, valueDim);
        products(t, false, from, to, in.key().floats, key, keyStride, headDim, t.queryT, t.scores);
        t.hidden = false;
        for (int group = 0; group < t.groups; group++) {
            hideUnseen(t, from, to, group);
            if (t.groupFrom < t.groupTo) {
                softmax(from, group * lanes, t);
            }
        }
        t.value.set(in.value().floats, value, valueStride, to - from, valueDim, paddedValueDim);
        boolean careful = t.hidden && !t.value.allFinite(kernels, to - from, valueDim);
        sumOverKeys(t, t.outputSums, from > t.low[0], from, to, t.scores, t.value, paddedValueDim, careful);
    }

    private void softmax(int from, int lane, AttentionScratch t) {
        int scores = t.scores + (t.groupFrom - from) * QUERIES + lane;
        boolean grew = kernels.onlineSoftmax(
                t.floats, scores, QUERIES, t.groupTo - t.groupFrom, t.floats, t.state + lane, QUERIES);
        if (dropout != null) {
            dropout.draw(t, lane);
            dropout.apply(t, scores);
        }
        if (grew && t.low[lane] < from) {
            RowSums sums = t.outputSums;
            int sum = sums.offset + lane * sums.stride;
            kernels.scaleRows(
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
    }

    private void finish(AttentionScratch t) {
        for (int group = 0; group < t.groups; group++) {
            kernels.finishSoftmax(t.floats, t.state + group * lanes, QUERIES);
        }
        if (in.sink() != null) {
            addSink(t);
        }
        System.arraycopy(
                t.floats,
                t.state,
                logSumExp.floats,
                logSumExp.offset + t.head * shape.queries() + t.firstQuery,
                t.queries);
        kernels.scaleRows(
                t.outputSums.floats,
                t.outputSums.offset,
                t.outputSums.stride,
                t.floats,
                t.state + QUERIES,
                output.floats,
                queryRow(output, t.head, t.firstQuery, valueDim),
                outputStride,
                t.queries,
                valueDim);
    }

    /** Takes the sink into the log-sum-exps, but not of queries that see nothing. */
    private void addSink(AttentionScratch t) {
        float sink = sink(t);
        for (int i = t.state; i < t.state + t.queries; i++) {
            float alone = t.floats[i];
            if (alone != Float.POSITIVE_INFINITY) {
                double larger = Math.max(alone, sink);
                double both = larger + Math.log(Math.exp(alone - larger) + Math.exp(sink - larger));
                t.floats[i] = (float) both;
                t.floats[i + QUERIES] *= (float) Math.exp(alone - both);
            }
        }
    }
}
