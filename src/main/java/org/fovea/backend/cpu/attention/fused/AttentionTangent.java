// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import static java.util.Objects.requireNonNull;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * The tangent of softmax attention, a tile of queries at a time, a dot standing for a tangent:
 *
 * <pre>
 * P = e^(S - max) / sum   T = scale (Q. K^T + Q K.^T)   r = sum over keys of P T   P. = P (T - r)
 * O. = P. V + P V.        logSumExp. = r
 * </pre>
 *
 * in five products; T is of scores after any softcap, and for O. dropout multiplies P and P. by its factors. Since r takes all
 * keys of a query and P. takes r, the tile's P and T are held for all keys it sees: scratch in proportion to them, and nothing
 * is computed twice.
 */
final class AttentionTangent extends AttentionPass {
    final CpuArray queryTangent;
    final CpuArray keyTangent;
    final CpuArray valueTangent;
    private final @Nullable ScoreReader biasTangent;
    private final @Nullable CpuArray sinkTangent;
    private final CpuArray saved;
    private final CpuArray outputTangent;
    private final CpuArray logSumExpTangent;

    AttentionTangent(
            AttentionKernels kernels,
            AttentionCall<CpuArray> call,
            CpuArray saved,
            AttentionPlane<CpuArray> tangents,
            AttentionPlane<CpuArray> outputTangents) {
        super(kernels, call);
        this.saved = saved;
        queryTangent = requireNonNull(tangents.query());
        keyTangent = requireNonNull(tangents.key());
        valueTangent = requireNonNull(tangents.value());
        biasTangent = ScoreReader.of(call.bias(), tangents.bias());
        sinkTangent = tangents.sink();
        outputTangent = requireNonNull(outputTangents.output());
        logSumExpTangent = requireNonNull(outputTangents.logSumExp());
    }

    /** Computes the tangents of the outputs and log-sum-exps of a tile's queries. */
    void tile(int head, int tile, AttentionScratch t) {
        open(head, tile, t);
        scores(t);
        for (int group = 0; group < t.groups; group++) {
            probabilities(t, group);
            drop(t, group);
        }
        int end = t.high[t.queries - 1];
        for (int from = t.low[0]; from < end; from += KEYS) {
            int to = Math.min(from + KEYS, end);
            openValues(t, from, to);
            outputs(t, from, to, t.hidden && !valuesFinite(t, to - from));
        }
        finish(t);
    }

    /** Sets up a tile, its score tangents' operands, its rows' sums, and sums of 0. */
    void open(int head, int tile, AttentionScratch t) {
        openTile(t, head, tile);
        transposeQueries(t, queryTangent, t.queryTangentT);
        openRowSums(t, saved);
        Arrays.fill(t.floats, t.state + QUERIES, t.state + 2 * QUERIES, 0);
        if (sinkTangent != null) {
            float moved = sinkTangent.floats[sinkTangent.offset + head % shape.heads()];
            for (int i = 0; i < t.queries; i++) {
                t.floats[t.state + QUERIES + i] = (float) (moved * sinkProbability(t, i));
            }
        }
        int row = queryRow(outputTangent, head, t.firstQuery, valueDim);
        openSums(t, t.outputSums, true, outputTangent, row, outputStride, valueDim, paddedValueDim);
        t.hidden = false;
    }

    /** The tangent of the above, once r is known. */
    double sinkProbabilityTangent(AttentionScratch t, int i) {
        float moved = sinkTangent == null ? 0 : sinkTangent.floats[sinkTangent.offset + t.head % shape.heads()];
        return sinkProbability(t, i) * (moved - t.floats[t.state + QUERIES + i]);
    }

    /** Computes the scores that the tile sees and their tangents. */
    void scores(AttentionScratch t) {
        int first = t.low[0];
        int end = t.high[t.queries - 1];
        for (int from = first; from < end; from += KEYS) {
            int to = Math.min(from + KEYS, end);
            int target = (from - first) * QUERIES;
            float[] keys = in.key().floats;
            float[] keyTangents = keyTangent.floats;
            int key = keyRow(in.key(), t.head, from, headDim);
            int tangentKey = keyRow(keyTangent, t.head, from, headDim);
            fetchKeys(t, in.key(), from, to, keyStride, headDim);
            fetchKeys(t, keyTangent, from, to, keyStride, headDim);
            fetchKeys(t, in.value(), from, to, valueStride, valueDim);
            fetchKeys(t, valueTangent, from, to, valueStride, valueDim);
            products(t, false, from, to, keys, key, keyStride, headDim, t.queryT, t.scores + target);
            products(t, false, from, to, keys, key, keyStride, headDim, t.queryTangentT, t.tangents + target);
            products(t, true, from, to, keyTangents, tangentKey, keyStride, headDim, t.queryT, t.tangents + target);
        }
    }

    /**
     * Makes probabilities and their tangents of the scores of a group, and sets the group's keys and the factors of dropout.
     */
    void probabilities(AttentionScratch t, int group) {
        int first = t.low[0];
        hideUnseen(t, first, t.high[t.queries - 1], group);
        int offset = (t.groupFrom - first) * QUERIES + group * lanes;
        if (terms != null && biasTangent != null) {
            terms.addTo(t, biasTangent, 1, t.tangents + offset, group * lanes);
        }
        if (softcap != null) {
            softcap.capTangents(t, t.tangents + offset);
        }
        kernels.probabilityTangents(
                t.floats,
                t.scores + offset,
                t.tangents + offset,
                QUERIES,
                t.groupTo - t.groupFrom,
                t.floats,
                t.state + group * lanes,
                QUERIES);
        if (dropout != null) {
            dropout.draw(t, group * lanes);
        }
    }

    /** Multiplies the probabilities of the group and their tangents by the factors of dropout. */
    void drop(AttentionScratch t, int group) {
        if (dropout != null) {
            int offset = (t.groupFrom - t.low[0]) * QUERIES + group * lanes;
            dropout.apply(t, t.scores + offset);
            dropout.apply(t, t.tangents + offset);
        }
    }

    /** Makes ready the values of keys {@code [from, to)} and their tangents. */
    void openValues(AttentionScratch t, int from, int to) {
        int value = keyRow(in.value(), t.head, from, valueDim);
        int tangentValue = keyRow(valueTangent, t.head, from, valueDim);
        t.value.set(in.value().floats, value, valueStride, to - from, valueDim, paddedValueDim);
        t.valueTangent.set(valueTangent.floats, tangentValue, valueStride, to - from, valueDim, paddedValueDim);
    }

    boolean valuesFinite(AttentionScratch t, int keys) {
        return t.value.allFinite(kernels, keys, valueDim) && t.valueTangent.allFinite(kernels, keys, valueDim);
    }

    /** Takes keys {@code [from, to)} into the tangents of the outputs. */
    void outputs(AttentionScratch t, int from, int to, boolean careful) {
        int block = (from - t.low[0]) * QUERIES;
        sumOverKeys(t, t.outputSums, from > t.low[0], from, to, t.tangents + block, t.value, paddedValueDim, careful);
        sumOverKeys(t, t.outputSums, true, from, to, t.scores + block, t.valueTangent, paddedValueDim, careful);
    }

    /** Stores the tile's results. */
    void finish(AttentionScratch t) {
        int row = queryRow(outputTangent, t.head, t.firstQuery, valueDim);
        t.outputSums.store(outputTangent, row, outputStride, t.queries, valueDim);
        int scalars = logSumExpTangent.offset + t.head * shape.queries() + t.firstQuery;
        System.arraycopy(t.floats, t.state + QUERIES, logSumExpTangent.floats, scalars, t.queries);
    }
}
