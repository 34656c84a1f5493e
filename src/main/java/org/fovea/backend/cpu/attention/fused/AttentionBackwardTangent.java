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
 * The tangent of the gradients of softmax attention, which is also the gradient of the gradients, one key head at a time.
 * Beside what {@link AttentionTangent} says, for each tile of queries,
 *
 * <pre>
 * dP = dO V^T             D = sum over keys of P dP - dLogSumExp              dS = P (dP - D)
 * W = dO V.^T + dO. V^T   e = sum over keys of dS (T - r) + P W - dLogSumExp.  dS. = dS (T - r) + P (W - e)
 * dQ. = scale (dS. K + dS K.)   dK. += scale (dS.^T Q + dS^T Q.)   dV. += P.^T dO + P^T dO.
 * </pre>
 *
 * in twelve products, fourteen where dO moves. With dropout its factors multiply dP and W, and P and P. where they are
 * multiplied by dO and dO.; with a softcap dS and dS. become those of the uncapped scores at last. The sums D and e are
 * dO . O - dLogSumExp and its tangent, taken from the probabilities because these are there.
 */
final class AttentionBackwardTangent extends AttentionKeySums {
    private final AttentionTangent tangent;
    private final CpuArray dOutput;
    private final @Nullable CpuArray dLogSumExp;
    private final @Nullable CpuArray dOutputTangent;
    private final @Nullable CpuArray dLogSumExpTangent;
    private final CpuArray dQuery;
    private final @Nullable BiasGradient dBias;

    /**
     * @param results written: the tangents of the outputs, and of the inputs' gradients where they are not sums over queries
     * @param parts where these are made
     */
    AttentionBackwardTangent(
            AttentionKernels kernels,
            AttentionCall<CpuArray> call,
            CpuArray saved,
            AttentionPlane<CpuArray> dOutputs,
            AttentionPlane<CpuArray> tangents,
            AttentionPlane<CpuArray> results,
            PartialKeyGradients parts) {
        super(kernels, call, parts);
        tangent = new AttentionTangent(kernels, call, saved, tangents, results);
        dOutput = requireNonNull(dOutputs.output());
        dLogSumExp = dOutputs.logSumExp();
        dOutputTangent = tangents.output();
        dLogSumExpTangent = tangents.logSumExp();
        dQuery = requireNonNull(results.query());
        dBias = parts.dBias();
    }

    @Override
    void tile(int head, int tile, AttentionScratch t) {
        tangent.open(head, tile, t);
        openGradients(t);
        tangent.scores(t);
        gradients(t);
        int first = t.low[0];
        for (int group = 0; group < t.groups; group++) {
            tangent.probabilities(t, group);
            int offset = (t.groupFrom - first) * QUERIES + group * lanes;
            openMass(t, group);
            if (dropout != null) {
                dropout.apply(t, t.gradients + offset);
                dropout.apply(t, t.gradientTangents + offset);
            }
            kernels.scoreGradientTangents(
                    t.floats,
                    t.scores + offset,
                    t.tangents + offset,
                    t.gradients + offset,
                    t.gradientTangents + offset,
                    QUERIES,
                    t.groupTo - t.groupFrom,
                    t.floats,
                    t.state + group * lanes,
                    QUERIES);
            tangent.drop(t, group);
            if (softcap != null) {
                softcap.capGradientTangents(t, t.gradients + offset, t.gradientTangents + offset);
            }
            if (dBias != null) {
                dBias.add(t, 1 / scale, t.gradientTangents + offset, group * lanes, lanes);
            }
        }
        if (parts.wantsSinks()) {
            addSinkGradient(t);
        }
        clear(t, head, first);
        int end = t.high[t.queries - 1];
        for (int from = first; from < end; from += KEYS) {
            sums(t, from, Math.min(from + KEYS, end));
        }
        tangent.finish(t);
        int row = queryRow(dQuery, head, t.firstQuery, headDim);
        t.querySums.store(dQuery, row, queryStride, t.queries, headDim);
    }

    /** What the keys' probabilities gain in sum is what the sink's loses. */
    private void openMass(AttentionScratch t, int group) {
        int mass = t.state + 4 * QUERIES;
        for (int i = group * lanes; i < (group + 1) * lanes; i++) {
            t.floats[mass + i] =
                    in.sink() == null || i >= t.queries ? 0 : (float) -tangent.sinkProbabilityTangent(t, i);
        }
    }

    private void addSinkGradient(AttentionScratch t) {
        int delta = t.state + 2 * QUERIES;
        for (int i = 0; i < t.queries; i++) {
            double p = tangent.sinkProbability(t, i);
            double pTangent = tangent.sinkProbabilityTangent(t, i);
            double moved = pTangent * t.floats[delta + i] + p * t.floats[delta + QUERIES + i];
            // The gradients of a query that sees nothing may be NaN.
            parts.addToSink(t.part, t.head, p == 0 ? 0 : -moved / scale);
        }
    }

    /** Makes ready what the tile's queries bring beside {@link AttentionTangent#open}. */
    private void openGradients(AttentionScratch t) {
        openOutputGradients(t, dOutput, t.dOutputT, t.dOutput);
        if (dOutputTangent != null) {
            openOutputGradients(t, dOutputTangent, t.dOutputTangentT, t.dOutputTangent);
        }
        openRows(t, dLogSumExp, t.state + 2 * QUERIES);
        openRows(t, dLogSumExpTangent, t.state + 3 * QUERIES);
        openQueries(t, in.query(), t.query);
        openQueries(t, tangent.queryTangent, t.queryTangent);
        int row = queryRow(dQuery, t.head, t.firstQuery, headDim);
        openSums(t, t.querySums, true, dQuery, row, queryStride, headDim, paddedHeadDim);
    }

    /** The scale goes into the probabilities' gradients and so into all that comes of them. */
    private void openOutputGradients(AttentionScratch t, CpuArray array, int transposed, PaddedRows operand) {
        fetchQueries(t, array, outputStride, valueDim);
        int row = queryRow(array, t.head, t.firstQuery, valueDim);
        kernels.transpose(array.floats, row, outputStride, t.queries, valueDim, scale, t.floats, transposed, QUERIES);
        operand.set(array.floats, row, outputStride, t.queries, valueDim, paddedValueDim);
    }

    private void openQueries(AttentionScratch t, CpuArray array, PaddedRows operand) {
        int row = queryRow(array, t.head, t.firstQuery, headDim);
        operand.set(array.floats, row, queryStride, t.queries, headDim, paddedHeadDim);
    }

    /** Starts a sum over keys, of scaled gradients, with what the log-sum-exp's gradient takes from it. */
    private void openRows(AttentionScratch t, @Nullable CpuArray gradient, int target) {
        Arrays.fill(t.floats, target, target + QUERIES, 0);
        if (gradient != null) {
            int scalars = gradient.offset + t.head * shape.queries() + t.firstQuery;
            for (int i = 0; i < t.queries; i++) {
                t.floats[target + i] = -scale * gradient.floats[scalars + i];
            }
        }
    }

    /** Computes the gradients of the probabilities that the tile sees and their tangents. */
    private void gradients(AttentionScratch t) {
        int first = t.low[0];
        int end = t.high[t.queries - 1];
        float[] values = in.value().floats;
        float[] valueTangents = tangent.valueTangent.floats;
        for (int from = first; from < end; from += KEYS) {
            int to = Math.min(from + KEYS, end);
            int value = keyRow(in.value(), t.head, from, valueDim);
            int valueTangent = keyRow(tangent.valueTangent, t.head, from, valueDim);
            int gradients = t.gradients + (from - first) * QUERIES;
            int moved = t.gradientTangents + (from - first) * QUERIES;
            products(t, false, from, to, values, value, valueStride, valueDim, t.dOutputT, gradients);
            products(t, false, from, to, valueTangents, valueTangent, valueStride, valueDim, t.dOutputT, moved);
            if (dOutputTangent != null) {
                products(t, true, from, to, values, value, valueStride, valueDim, t.dOutputTangentT, moved);
            }
        }
    }

    /** Takes keys {@code [from, to)} into all results. */
    private void sums(AttentionScratch t, int from, int to) {
        int keys = to - from;
        tangent.openValues(t, from, to);
        int key = keyRow(in.key(), t.head, from, headDim);
        int keyTangent = keyRow(tangent.keyTangent, t.head, from, headDim);
        t.key.set(in.key().floats, key, keyStride, keys, headDim, paddedHeadDim);
        t.keyTangent.set(tangent.keyTangent.floats, keyTangent, keyStride, keys, headDim, paddedHeadDim);
        boolean careful = t.hidden && !(tangent.valuesFinite(t, keys) && restFinite(t, keys));
        tangent.outputs(t, from, to, careful);

        int block = (from - t.low[0]) * QUERIES;
        int p = t.scores + block;
        int pTangent = t.tangents + block;
        int dS = t.gradients + block;
        int dSTangent = t.gradientTangents + block;
        sumOverKeys(t, t.querySums, from > t.low[0], from, to, dSTangent, t.key, paddedHeadDim, careful);
        sumOverKeys(t, t.querySums, true, from, to, dS, t.keyTangent, paddedHeadDim, careful);
        CpuArray dKey = parts.dKey(t.part);
        CpuArray dValue = parts.dValue(t.part);
        int written = t.writtenKeys;
        sumInto(dKey, keyStride, headDim, t, from, to, written, dSTangent, t.query, paddedHeadDim, careful);
        sumInto(dKey, keyStride, headDim, t, from, to, to, dS, t.queryTangent, paddedHeadDim, careful);
        sumInto(dValue, valueStride, valueDim, t, from, to, written, pTangent, t.dOutput, paddedValueDim, careful);
        if (dOutputTangent != null) {
            sumInto(dValue, valueStride, valueDim, t, from, to, to, p, t.dOutputTangent, paddedValueDim, careful);
        }
        t.writtenKeys = Math.max(written, to);
    }

    /** Whether all that is multiplied but values is finite. */
    private boolean restFinite(AttentionScratch t, int keys) {
        return t.key.allFinite(kernels, keys, headDim)
                && t.keyTangent.allFinite(kernels, keys, headDim)
                && t.query.allFinite(kernels, t.queries, headDim)
                && t.queryTangent.allFinite(kernels, t.queries, headDim)
                && t.dOutput.allFinite(kernels, t.queries, valueDim)
                && (dOutputTangent == null || t.dOutputTangent.allFinite(kernels, t.queries, valueDim));
    }
}
