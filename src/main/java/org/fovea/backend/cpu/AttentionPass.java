package org.fovea.backend.cpu;

import java.util.Arrays;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionSpec;
import org.jspecify.annotations.Nullable;

/**
 * What the forward and backward pass have in common: where rows lie, which part of a score tile is seen, and operands made
 * ready for the kernels. Immutable; what belongs to a tile is in its thread's {@link AttentionScratch}.
 *
 * <p>A tile of scores is cut twice: into groups of queries, the kernels' vectors, and into blocks of {@link
 * AttentionKernels#ROWS} keys. Only the pairs of group and block in which some query sees some key are computed.
 */
abstract class AttentionPass {
    static final int QUERIES = AttentionScratch.QUERIES;
    static final int KEYS = AttentionScratch.KEYS;
    static final int ROWS = AttentionKernels.ROWS;
    static final float LOG2_E = (float) (1 / Math.log(2));

    final AttentionKernels kernels;
    final AttentionShape shape;
    final AttentionSpec spec;
    final AttentionArrays in;
    final float scale;
    final int lanes;
    final int headDim;
    final int valueDim;
    final int paddedHeadDim;
    final int paddedValueDim;

    /** What queries see, if that is the same in all batch rows. */
    private final @Nullable AttentionBand band;

    /** From a row to the next of the same head: of queries and keys, and of values and outputs. */
    final int keyStride;

    final int valueStride;

    AttentionPass(AttentionKernels kernels, AttentionShape shape, AttentionSpec spec, AttentionArrays in) {
        this.kernels = kernels;
        this.shape = shape;
        this.spec = spec;
        this.in = in;
        lanes = kernels.lanes();
        headDim = shape.headDim();
        valueDim = shape.valueDim();
        scale = (float) spec.scale(headDim);
        paddedHeadDim = padded(headDim);
        paddedValueDim = padded(valueDim);
        boolean headsApart = shape.layout() == AttentionShape.Layout.BHND;
        keyStride = headsApart ? headDim : headDim * shape.heads();
        valueStride = headsApart ? valueDim : valueDim * shape.heads();
        band = in.keyLengths() == null ? AttentionBand.of(spec, shape.queries(), shape.keys(), shape.keys()) : null;
    }

    private int padded(int dim) {
        return (dim + lanes - 1) / lanes * lanes;
    }

    /** Index of a row of an array of [batch, heads, rows, dim] or [batch, rows, heads, dim], by the shape's layout. */
    final int row(CpuArray array, int head, int rows, int row, int dim) {
        int heads = shape.heads();
        int index = shape.layout() == AttentionShape.Layout.BHND
                ? head * rows + row
                : (head / heads * rows + row) * heads + head % heads;
        return array.offset + index * dim;
    }

    /**
     * Sets up the tile of up to {@link AttentionScratch#QUERIES} queries from {@code firstQuery} on.
     *
     * @param head number of the head, counted through the batch
     */
    final void openTile(AttentionScratch t, int head, int firstQuery) {
        int batch = head / shape.heads();
        int queries = Math.min(QUERIES, shape.queries() - firstQuery);
        t.head = head;
        openBand(t, batch, firstQuery, queries);
        CpuArray querySegments = in.querySegments();
        if (querySegments != null) {
            System.arraycopy(
                    querySegments.ints,
                    querySegments.offset + batch * shape.queries() + firstQuery,
                    t.querySegments,
                    0,
                    queries);
        }
        kernels.transpose(
                in.query().floats,
                row(in.query(), head, shape.queries(), firstQuery, headDim),
                keyStride,
                queries,
                headDim,
                scale * LOG2_E,
                t.floats,
                t.queryT,
                QUERIES);
    }

    /** Sets what the tile's queries see, unless the tile before it was in the same place. */
    private void openBand(AttentionScratch t, int batch, int firstQuery, int queries) {
        if (t.band == band && t.firstQuery == firstQuery) {
            return;
        }
        AttentionBand mine = band;
        CpuArray keyLengths = in.keyLengths();
        if (mine == null) {
            int keyLength = keyLengths == null ? shape.keys() : keyLengths.ints[keyLengths.offset + batch];
            mine = AttentionBand.of(spec, shape.queries(), shape.keys(), keyLength);
        }
        t.band = mine;
        t.firstQuery = firstQuery;
        t.queries = queries;
        t.groups = (queries + lanes - 1) / lanes;
        for (int i = 0; i < t.groups * lanes; i++) {
            t.low[i] = mine.low(firstQuery + i);
            t.high[i] = mine.high(firstQuery + i);
        }
        t.oneBlock = t.high[queries - 1] - t.low[0] <= KEYS;
    }

    /**
     * Says where the tile's rows are summed: in place if that is one product of whole vectors, else in scratch, from 0 on.
     *
     * @param rows index in {@code array} of the tile's first row
     */
    static void openSum(AttentionScratch t, CpuArray array, int rows, int stride, int dim, int paddedDim) {
        t.sumInPlace = t.oneBlock && dim == paddedDim;
        t.sums = t.sumInPlace ? array.floats : t.floats;
        t.sum = t.sumInPlace ? rows : t.sumScratch;
        t.sumStride = t.sumInPlace ? stride : paddedDim;
        if (!t.oneBlock || t.low[0] >= t.high[t.queries - 1]) {
            clearSums(t, 0, t.queries, paddedDim);
        }
    }

    private static void clearSums(AttentionScratch t, int from, int to, int dim) {
        for (int i = from; i < to; i++) {
            int row = t.sum + i * t.sumStride;
            Arrays.fill(t.sums, row, row + dim, 0);
        }
    }

    /** Index in the tile of the first query that sees key j or a later one. */
    static int firstQuerySeeing(AttentionScratch t, int j) {
        return Math.max(0, Math.min(t.band.firstQuerySeeing(j) - t.firstQuery, t.queries));
    }

    /** One past the index in the tile of the last query that sees key j or an earlier one. */
    static int endOfQueriesSeeing(AttentionScratch t, int j) {
        return Math.max(0, Math.min(t.band.endOfQueriesSeeing(j) - t.firstQuery, t.queries));
    }

    /**
     * {@code target[key][query] = rows[key] . operandT[.][query]} for what is seen of keys {@code [from, to)}.
     *
     * @param rows index of key {@code from} in {@code array}
     */
    final void products(
            AttentionScratch t,
            int from,
            int to,
            float[] array,
            int rows,
            int stride,
            int dim,
            int operandT,
            int target) {
        boolean allSeen = firstQuerySeeing(t, to - 1) == 0 && endOfQueriesSeeing(t, from) == t.queries;
        int step = allSeen ? to - from : ROWS;
        for (int j = from; j < to; j += step) {
            int end = Math.min(j + step, to);
            int first = firstQuerySeeing(t, j) / lanes * lanes;
            int columns = (endOfQueriesSeeing(t, end - 1) - first + lanes - 1) / lanes * lanes;
            if (columns > 0) {
                kernels.multiply(
                        false,
                        false,
                        array,
                        rows + (j - from) * stride,
                        stride,
                        1,
                        t.floats,
                        operandT + first,
                        QUERIES,
                        t.floats,
                        target + (j - from) * QUERIES + first,
                        QUERIES,
                        end - j,
                        dim,
                        columns);
            }
        }
    }

    /**
     * Finds the keys of {@code [from, to)} for which {@link #products} computed the scores of a group, as {@code groupFrom}
     * and {@code groupTo}, and hides those scores that are not seen.
     */
    final void hideUnseen(AttentionScratch t, int from, int to, int group) {
        int first = group * lanes;
        int last = Math.min(first + lanes, t.queries) - 1;
        int low = Math.max(from, t.low[first]);
        int high = Math.min(to, t.high[last]);
        t.groupFrom = from;
        t.groupTo = from;
        if (low >= high) {
            return;
        }
        int groupFrom = from + (low - from) / ROWS * ROWS;
        int groupTo = Math.min(to, from + (high - from + ROWS - 1) / ROWS * ROWS);
        t.groupFrom = groupFrom;
        t.groupTo = groupTo;
        hide(t, from, groupFrom, Math.min(groupTo, t.low[last]), first);
        hide(t, from, Math.max(groupFrom, t.high[first]), groupTo, first);
        CpuArray keySegments = in.keySegments();
        if (keySegments != null) {
            t.hidden = true;
            kernels.hideOtherSegments(
                    t.floats,
                    t.scores + (groupFrom - from) * QUERIES + first,
                    QUERIES,
                    groupTo - groupFrom,
                    keySegments.ints,
                    keySegments.offset + t.head / shape.heads() * shape.keys() + groupFrom,
                    t.querySegments,
                    first);
        }
    }

    private void hide(AttentionScratch t, int from, int hideFrom, int hideTo, int lane) {
        if (hideFrom < hideTo) {
            t.hidden = true;
            kernels.hideOutsideBand(
                    t.floats,
                    t.scores + (hideFrom - from) * QUERIES + lane,
                    QUERIES,
                    hideFrom,
                    hideTo - hideFrom,
                    t.low,
                    t.high,
                    lane);
        }
    }

    /** {@code sum[query][.] += sum over seen keys of weights[key][query] rows[key][.]} for keys {@code [from, to)}. */
    final void sumOverKeys(AttentionScratch t, int from, int to, int weights, Operand rows, int dim, boolean careful) {
        boolean allSeen = t.low[t.queries - 1] <= from && t.high[0] >= to;
        int step = allSeen ? t.queries : ROWS;
        for (int i = 0; i < t.queries; i += step) {
            int end = Math.min(i + step, t.queries);
            int low = Math.max(from, t.low[i]);
            int high = Math.min(to, t.high[end - 1]);
            if (low < high) {
                kernels.multiply(
                        !t.oneBlock,
                        careful,
                        t.floats,
                        weights + (low - from) * QUERIES + i,
                        1,
                        QUERIES,
                        rows.floats,
                        rows.offset + (low - from) * rows.stride,
                        rows.stride,
                        t.sums,
                        t.sum + i * t.sumStride,
                        t.sumStride,
                        end - i,
                        high - low,
                        dim);
            } else if (t.oneBlock) {
                clearSums(t, i, end, dim);
            }
        }
    }
}
