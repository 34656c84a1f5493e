// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.cpu.attention.series.ScoreReader;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * The steps of scores between their products and the softmax: a bias is added, they are soft-capped, mask and ALiBi are added.
 * Works on one group of a tile at a time, whose part of an array it transposes into scratch; where scores stay as they are
 * there is no object of this class.
 */
final class ScoreTerms {
    private static final int KEYS = AttentionScratch.KEYS;
    private static final int QUERIES = AttentionScratch.QUERIES;

    private final AttentionKernels kernels;
    private final int heads;
    private final @Nullable ScoreReader bias;
    private final @Nullable AttentionSoftcap softcap;
    private final @Nullable ScoreReader mask;
    private final @Nullable CpuArray slopes;

    /** |x| for x from -zero on: positions of queries less those of keys. */
    private final float[] distances;

    private final int zero;

    private ScoreTerms(AttentionKernels kernels, AttentionCall<CpuArray> call, @Nullable AttentionSoftcap softcap) {
        AttentionShape shape = call.shape();
        this.kernels = kernels;
        heads = shape.heads();
        bias = ScoreReader.of(call.bias());
        this.softcap = softcap;
        mask = ScoreReader.of(call.mask().scores());
        slopes = call.mask().alibiSlopes();
        zero = shape.keys() + shape.queries();
        distances = new float[slopes == null ? 0 : 2 * zero + call.spec().pastKeys() + QUERIES];
        for (int i = 0; i < distances.length; i++) {
            distances[i] = Math.abs(i - zero);
        }
    }

    static @Nullable ScoreTerms of(
            AttentionKernels kernels, AttentionCall<CpuArray> call, @Nullable AttentionSoftcap softcap) {
        AttentionMask<CpuArray> mask = call.mask();
        boolean none = call.bias() == null && mask.scores() == null && mask.alibiSlopes() == null && softcap == null;
        return none ? null : new ScoreTerms(kernels, call, softcap);
    }

    /** Does all this to the group's scores of keys {@code [groupFrom, groupTo)}, which start at {@code scores}. */
    void add(AttentionScratch t, int scores, int lane) {
        if (bias != null) {
            addTo(t, bias, 1, scores, lane);
        }
        if (softcap != null) {
            softcap.cap(t, scores);
        }
        int keys = t.groupTo - t.groupFrom;
        if (mask != null) {
            t.hidden = true;
            for (int j = 0; j < keys; j += KEYS) {
                int count = Math.min(KEYS, keys - j);
                transpose(t, mask, lane, t.groupFrom + j, count);
                kernels.addMask(t.floats, t.term, t.floats, scores + j * QUERIES, QUERIES, count);
            }
        }
        if (slopes != null) {
            float slope = slopes.floats[slopes.offset + t.head % heads];
            int nearest = zero + t.band.nearPosition() + t.firstQuery + lane - t.groupFrom;
            kernels.rows().addRows(-slope, distances, nearest, -1, t.floats, scores, QUERIES, keys, kernels.lanes());
        }
    }

    /** Adds {@code factor} times what a term holds for the group's keys to what starts at {@code target}. */
    void addTo(AttentionScratch t, ScoreReader term, float factor, int target, int lane) {
        boolean relative = term.extents().isRelative();
        int keys = t.groupTo - t.groupFrom;
        for (int j = 0; j < keys; j += KEYS) {
            int count = Math.min(KEYS, keys - j);
            int source = t.term;
            if (relative) {
                lineUp(t, term, lane, t.groupFrom + j, count);
                source += count - 1;
            } else {
                transpose(t, term, lane, t.groupFrom + j, count);
            }
            int stride = relative ? -1 : QUERIES;
            int to = target + j * QUERIES;
            kernels.rows().addRows(factor, t.floats, source, stride, t.floats, to, QUERIES, count, kernels.lanes());
        }
    }

    /**
     * Writes a relative term's numbers for falling positions, from that of the first query and the last of {@code keys} keys on: a row
     * of the group is a run of them, that of the key before starts one further.
     */
    private void lineUp(AttentionScratch t, ScoreReader term, int lane, int key, int keys) {
        float[] source = term.array().floats;
        int reach = term.extents().reach();
        int middle = term.indexAt(t.head / heads, t.head % heads, 0);
        int farthest = key + keys - 1 - (t.band.nearPosition() + t.firstQuery + lane);
        int count = keys - 1 + Math.min(kernels.lanes(), t.queries - lane);
        for (int i = 0; i < count; i++) {
            t.floats[t.term + i] = source[middle + Math.max(-reach, Math.min(farthest - i, reach))];
        }
        // What the lanes beyond the last query see must be a number.
        Arrays.fill(t.floats, t.term + count, t.term + keys - 1 + kernels.lanes(), 0);
    }

    private void transpose(AttentionScratch t, ScoreReader term, int lane, int key, int keys) {
        ScoreBias<CpuArray> extents = term.extents();
        float[] source = term.array().floats;
        int first = term.index(t.head / heads, t.head % heads, t.firstQuery + lane, key);
        int lanes = kernels.lanes();
        int distinct = extents.keyStride() == 0 ? 1 : keys;
        if (extents.queryStride() == 0) {
            for (int j = 0; j < distinct; j++) {
                int row = t.term + j * QUERIES;
                Arrays.fill(t.floats, row, row + lanes, source[first + j]);
            }
        } else {
            int queries = Math.min(lanes, t.queries - lane);
            int stride = (int) extents.queryStride();
            kernels.transpose(source, first, stride, queries, distinct, 1, t.floats, t.term, QUERIES);
        }
        for (int j = distinct; j < keys; j++) {
            System.arraycopy(t.floats, t.term, t.floats, t.term + j * QUERIES, lanes);
        }
    }
}
