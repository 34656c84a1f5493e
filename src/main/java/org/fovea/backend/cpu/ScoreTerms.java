package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.ScoreTerm;
import org.jspecify.annotations.Nullable;

/**
 * What becomes of scores between their products and the softmax: a bias is added, they are bent, mask and ALiBi are added.
 * Works on one group of a tile at a time, whose part of an array it transposes into scratch; where scores stay as they are
 * there is no object of this class.
 */
final class ScoreTerms {
    private static final float LOG2_E = AttentionPass.LOG2_E;
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

    private ScoreTerms(
            AttentionKernels kernels,
            AttentionShape shape,
            AttentionArrays in,
            @Nullable AttentionSoftcap softcap,
            int pastKeys) {
        this.kernels = kernels;
        heads = shape.heads();
        bias = in.bias();
        this.softcap = softcap;
        mask = in.mask();
        slopes = in.alibiSlopes();
        zero = shape.keys() + shape.queries();
        distances = new float[slopes == null ? 0 : 2 * zero + pastKeys + QUERIES];
        for (int i = 0; i < distances.length; i++) {
            distances[i] = Math.abs(i - zero);
        }
    }

    static @Nullable ScoreTerms of(
            AttentionKernels kernels,
            AttentionShape shape,
            AttentionArrays in,
            @Nullable AttentionSoftcap softcap,
            int pastKeys) {
        boolean none = in.bias() == null && in.mask() == null && in.alibiSlopes() == null && softcap == null;
        return none ? null : new ScoreTerms(kernels, shape, in, softcap, pastKeys);
    }

    /** Does all this to the group's scores, in units of log2, of keys {@code [groupFrom, groupTo)}, which start at {@code scores}. */
    void add(AttentionScratch t, int scores, int lane) {
        if (bias != null) {
            addTo(t, bias, LOG2_E, scores, lane);
        }
        if (softcap != null) {
            softcap.bend(t, scores);
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
            int nearest = zero + t.band.position() + t.firstQuery + lane - t.groupFrom;
            kernels.addRows(-slope * LOG2_E, distances, nearest, -1, t.floats, scores, QUERIES, keys, kernels.lanes());
        }
    }

    /** Adds {@code factor} times what a term holds for the group's keys to what starts at {@code target}. */
    void addTo(AttentionScratch t, ScoreReader term, float factor, int target, int lane) {
        int keys = t.groupTo - t.groupFrom;
        for (int j = 0; j < keys; j += KEYS) {
            int count = Math.min(KEYS, keys - j);
            transpose(t, term, lane, t.groupFrom + j, count);
            int lanes = kernels.lanes();
            kernels.addRows(factor, t.floats, t.term, QUERIES, t.floats, target + j * QUERIES, QUERIES, count, lanes);
        }
    }

    private void transpose(AttentionScratch t, ScoreReader term, int lane, int key, int keys) {
        ScoreTerm extents = term.extents();
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

    /** Adds {@code factor} times the group's gradients of scores, from {@code gradients} on, to those of the bias. */
    void addGradient(AttentionScratch t, ScoreReader dBias, float factor, int gradients, int lane) {
        ScoreTerm extents = dBias.extents();
        float[] sums = dBias.array().floats;
        int queries = Math.min(kernels.lanes(), t.queries - lane);
        for (int i = 0; i < queries; i++) {
            int sum = dBias.index(t.head / heads, t.head % heads, t.firstQuery + lane + i, t.groupFrom);
            int gradient = gradients + i;
            for (int j = t.groupFrom; j < t.groupTo; j++) {
                sums[sum] += factor * t.floats[gradient];
                sum += extents.keyStride();
                gradient += QUERIES;
            }
        }
    }
}
