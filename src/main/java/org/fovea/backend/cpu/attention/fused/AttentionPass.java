// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionBand;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionMask;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.cpu.attention.series.CpuBands;
import org.fovea.backend.cpu.kernels.AttentionKernels;
import org.fovea.backend.cpu.memory.Block;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * The common part of forward and backward pass: where rows lie, which part of a score tile is seen, and operands made
 * ready for the kernels. Immutable; what belongs to a tile is in its thread's {@link AttentionScratch}.
 *
 * <p>A tile of scores is cut twice: into groups of queries, the kernels' vectors, and into blocks of {@link
 * AttentionKernels#ROWS} keys. Only the pairs of group and block in which some query sees some key are computed.
 */
abstract class AttentionPass {
    static final int QUERIES = AttentionScratch.QUERIES;
    static final int KEYS = AttentionScratch.KEYS;
    static final int ROWS = AttentionKernels.ROWS;

    /** Products along a dimension that are added up in one go: in a longer sum more is lost to rounding. */
    private static final int PART = 64;

    /** Where in the state the inverses of the rows' sums are. */
    static final int INVERSE = 5 * QUERIES;

    final AttentionKernels kernels;
    final AttentionShape shape;
    final AttentionSpec spec;
    final AttentionCall<CpuArray> in;
    private final AttentionMask<CpuArray> mask;
    final float scale;
    final int lanes;
    final int headDim;
    final int valueDim;
    final int paddedHeadDim;
    final int paddedValueDim;

    /** What is added to scores, if anything is. */
    final @Nullable ScoreTerms terms;

    final @Nullable AttentionSoftcap softcap;
    final @Nullable AttentionDropout dropout;

    /** Tiles that the queries of a head are cut into. */
    final int tiles;

    private final @Nullable PackedTiles packed;

    /** What queries see, if that is the same in all batch rows. */
    private final @Nullable AttentionBand band;

    /** From a row to the next of the same head. */
    final int queryStride;

    final int outputStride;
    final int keyStride;
    final int valueStride;

    AttentionPass(AttentionKernels kernels, AttentionCall<CpuArray> call) {
        this.kernels = kernels;
        shape = call.shape();
        spec = call.spec();
        in = call;
        mask = call.mask();
        lanes = kernels.lanes();
        headDim = shape.headDim();
        valueDim = shape.valueDim();
        scale = (float) spec.scale(headDim);
        paddedHeadDim = padded(headDim);
        paddedValueDim = padded(valueDim);
        boolean headsApart = shape.layout() == AttentionShape.Layout.BHND;
        queryStride = headsApart ? headDim : headDim * shape.heads();
        outputStride = headsApart ? valueDim : valueDim * shape.heads();
        keyStride = headsApart ? headDim : headDim * shape.keyHeads();
        valueStride = headsApart ? valueDim : valueDim * shape.keyHeads();
        softcap = AttentionSoftcap.of(kernels, spec);
        dropout = AttentionDropout.of(kernels, spec);
        terms = ScoreTerms.of(kernels, call, softcap);
        packed = mask.querySequences() == null ? null : PackedTiles.of(CpuBands.ofSequences(in), shape.queries());
        tiles = packed == null ? (shape.queries() + QUERIES - 1) / QUERIES : packed.bands().length;
        band = mask.keyLengths() == null ? AttentionBand.ofRow(spec, shape, shape.keys()) : null;
    }

    private int padded(int dim) {
        return (dim + lanes - 1) / lanes * lanes;
    }

    /**
     * Index of a query's row in an array of [batch, heads, queries, dim] or, by the shape's layout, [batch, queries, heads,
     * dim].
     *
     * @param head number of the query head, counted through the batch
     */
    final int queryRow(CpuArray array, int head, int row, int dim) {
        return array.offset + row(head, shape.heads(), shape.queries(), row) * dim;
    }

    /** Index of a key's row in an array of [batch, keyHeads, keys, dim] or [batch, keys, keyHeads, dim], likewise. */
    final int keyRow(CpuArray array, int head, int row, int dim) {
        return array.offset + row(head / shape.group(), shape.keyHeads(), shape.keys(), row) * dim;
    }

    private int row(int head, int heads, int rows, int row) {
        return shape.layout() == AttentionShape.Layout.BHND
                ? head * rows + row
                : (head / heads * rows + row) * heads + head % heads;
    }

    /**
     * Sets up a tile of up to {@link AttentionScratch#QUERIES} queries.
     *
     * @param head number of the head, counted through the batch
     */
    final void openTile(AttentionScratch t, int head, int tile) {
        int batch = head / shape.heads();
        t.head = head;
        openBand(t, batch, tile);
        CpuArray querySegments = mask.querySegments();
        if (querySegments != null) {
            System.arraycopy(
                    querySegments.ints,
                    querySegments.offset + batch * shape.queries() + t.firstQuery,
                    t.querySegments,
                    0,
                    t.queries);
        }
        transposeQueries(t, in.query(), t.queryT);
    }

    /**
     * Reads the tile's rows of an array in the query's or output's shape, a number from each cache line, so that their cache
     * misses overlap: what uses them would wait for one after the other.
     */
    final void fetchQueries(AttentionScratch t, CpuArray array, int stride, int dim) {
        fetch(t, array, queryRow(array, t.head, t.firstQuery, dim), stride, t.queries, dim);
    }

    /** Likewise rows of keys {@code [from, to)}, unless the tile before this one has used them. */
    final void fetchKeys(AttentionScratch t, CpuArray array, int from, int to, int stride, int dim) {
        if (t.firstQuery == 0 || to > t.high[0]) {
            fetch(t, array, keyRow(array, t.head, from, dim), stride, to - from, dim);
        }
    }

    private static void fetch(AttentionScratch t, CpuArray array, int row, int stride, int rows, int dim) {
        float sum = 0;
        for (int i = 0; i < rows; i++) {
            int end = row + i * stride + dim;
            for (int j = row + i * stride; j < end; j += Block.ALIGNMENT) {
                sum += array.floats[j];
            }
        }
        t.fetched = sum;
    }

    /** Transposes the tile's rows of an array in the query's shape, made ready for scores. */
    final void transposeQueries(AttentionScratch t, CpuArray array, int target) {
        fetchQueries(t, array, queryStride, headDim);
        kernels.transpose(
                array.floats,
                queryRow(array, t.head, t.firstQuery, headDim),
                queryStride,
                t.queries,
                headDim,
                scale,
                t.floats,
                target,
                QUERIES);
    }

    /** Sets what the tile's queries see, unless the tile before it was in the same place. */
    @SuppressWarnings("ReferenceEquality") // an equal band is set again, which is slower and no more
    private void openBand(AttentionScratch t, int batch, int tile) {
        int firstQuery = packed == null ? tile * QUERIES : packed.starts()[tile];
        AttentionBand mine = packed == null ? band : packed.bands()[tile];
        if (t.band == mine && t.firstQuery == firstQuery) {
            return;
        }
        if (mine == null) {
            mine = AttentionBand.ofRow(spec, shape, CpuBands.keyLength(in, batch));
        }
        int end = packed == null ? shape.queries() : packed.starts()[tile + 1];
        int queries = Math.min(QUERIES, end - firstQuery);
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
     * Says where sums over keys are made for the tile's rows. They start with the tile's first block of keys; where it sees none
     * they are 0.
     *
     * @param array in the shape of the query or output: where the sums are made if these are whole vectors
     * @param inPlace whether they may be made there
     */
    static void openSums(
            AttentionScratch t,
            RowAccumulator sums,
            boolean inPlace,
            CpuArray array,
            int row,
            int stride,
            int dim,
            int paddedDim) {
        sums.open(t.floats, array.floats, row, stride, inPlace && dim == paddedDim, paddedDim);
        if (t.low[0] >= t.high[t.queries - 1]) {
            sums.clear(0, t.queries, paddedDim);
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
     * {@code target[key][query] = rows[key] . operandT[.][query]} for what is seen of keys {@code [from, to)}, added to the
     * target if {@code accumulate}.
     *
     * @param rows index of key {@code from} in {@code array}
     */
    final void products(
            AttentionScratch t,
            boolean accumulate,
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
            if (columns <= 0) {
                continue;
            }
            for (int d = 0; d < dim; d += PART) {
                kernels.multiply(
                        accumulate || d > 0,
                        false,
                        array,
                        rows + (j - from) * stride + d,
                        stride,
                        1,
                        t.floats,
                        operandT + d * QUERIES + first,
                        QUERIES,
                        t.floats,
                        target + (j - from) * QUERIES + first,
                        QUERIES,
                        end - j,
                        Math.min(PART, dim - d),
                        columns);
            }
        }
    }

    /**
     * Finds the keys of {@code [from, to)} for which {@link #products} computed the scores of a group, as {@code groupFrom}
     * and {@code groupTo}, adds to these scores what is to be added, and hides those that are not seen.
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
        if (terms != null) {
            terms.add(t, t.scores + (groupFrom - from) * QUERIES + first, first);
        }
        hide(t, from, groupFrom, Math.min(groupTo, t.low[last]), first);
        hide(t, from, Math.max(groupFrom, t.high[first]), groupTo, first);
        CpuArray keySegments = mask.keySegments();
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

    /** The head's sink; without one a score that has no probability. */
    final float sink(AttentionScratch t) {
        CpuArray sink = in.sink();
        return sink == null ? Float.NEGATIVE_INFINITY : sink.floats[sink.offset + t.head % shape.heads()];
    }

    /** The probability that the sink takes from query i of the tile, whose sums are known. */
    final double sinkProbability(AttentionScratch t, int i) {
        return Math.exp((double) sink(t) - t.floats[t.state + i]) * t.floats[t.state + INVERSE + i];
    }

    /** Reads what the forward pass has saved of the tile's rows, to make the same probabilities of the same scores again. */
    final void openRowSums(AttentionScratch t, CpuArray saved) {
        int rows = Math.toIntExact(shape.logSumExpSize());
        int row = saved.offset + t.head * shape.queries() + t.firstQuery;
        System.arraycopy(saved.floats, row, t.floats, t.state, t.queries);
        System.arraycopy(saved.floats, row + rows, t.floats, t.state + INVERSE, t.queries);
        // The lanes beyond the last query give probability 0.
        Arrays.fill(t.floats, t.state + t.queries, t.state + QUERIES, Float.POSITIVE_INFINITY);
        Arrays.fill(t.floats, t.state + INVERSE + t.queries, t.state + INVERSE + QUERIES, 0);
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

    /**
     * {@code sums[query][.] = sum over seen keys of weights[key][query] rows[key][.]} for keys {@code [from, to)}, added to
     * the sums if {@code accumulate}.
     */
    final void sumOverKeys(
            AttentionScratch t,
            RowAccumulator sums,
            boolean accumulate,
            int from,
            int to,
            int weights,
            PaddedRows rows,
            int dim,
            boolean careful) {
        boolean allSeen = t.low[t.queries - 1] <= from && t.high[0] >= to;
        // Of one group of lanes, which hideUnseen has made valid together: of another it may have left other keys.
        int step = allSeen ? t.queries : Math.min(ROWS, lanes);
        for (int i = 0; i < t.queries; i += step) {
            int end = Math.min(i + step, t.queries);
            int low = Math.max(from, t.low[i]);
            int high = Math.min(to, t.high[end - 1]);
            if (low < high) {
                kernels.multiply(
                        accumulate,
                        careful,
                        t.floats,
                        weights + (low - from) * QUERIES + i,
                        1,
                        QUERIES,
                        rows.floats,
                        rows.offset + (low - from) * rows.stride,
                        rows.stride,
                        sums.floats,
                        sums.offset + i * sums.stride,
                        sums.stride,
                        end - i,
                        high - low,
                        dim);
            } else if (!accumulate) {
                sums.clear(i, end, dim);
            }
        }
    }
}
