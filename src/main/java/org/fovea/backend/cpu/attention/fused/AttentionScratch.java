// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import org.fovea.backend.attention.AttentionBand;
import org.fovea.backend.cpu.kernels.PairKernels;
import org.fovea.backend.cpu.memory.Block;

/**
 * One thread's working memory for attention: the tile it works on, of a size that depends on head dims alone. Matrices are
 * regions of one large array, which the collector places at a cache line's start ({@link Block#BASE}); vector loads that
 * straddle cache lines cost double.
 */
final class AttentionScratch {
    /** Queries of a tile: the row length of score tiles and transposed operands. A whole number of groups. */
    static final int QUERIES = 64;

    /** Keys of a tile. */
    static final int KEYS = 64;

    /** Keys by which {@link PairKernels#dropoutFactors} may overstep its range, to a whole number of rows. */
    private static final int MARGIN = 4;

    /** Number of the tile's head, its first query, and how many queries and groups of them it has. */
    int head;

    /** Of the queries of its key head, where these are cut into parts. */
    int part;

    int firstQuery;
    int queries;
    int groups;

    AttentionBand band = AttentionBand.ofNothing();

    /** The band's ends and the segment of each query of the tile. */
    final int[] low = new int[QUERIES];

    final int[] high = new int[QUERIES];
    final int[] querySegments = new int[QUERIES];

    /** The keys of which a group's scores were computed, and whether any score of the tile was hidden. */
    int groupFrom;

    int groupTo;
    boolean hidden;

    /** Whether the tile sees no more than {@link #KEYS} keys in a row, and so has one block of them. */
    boolean oneBlock;

    final RowAccumulator outputSums = new RowAccumulator();
    final RowAccumulator querySums = new RowAccumulator();

    /** Of no use: it makes {@link AttentionPass#fetch} read. */
    float fetched;

    /** Keys before this one have gradients of the head in their place; those of later keys are garbage yet. */
    int writtenKeys;

    final PaddedRows query = new PaddedRows();
    final PaddedRows key = new PaddedRows();
    final PaddedRows value = new PaddedRows();
    final PaddedRows dOutput = new PaddedRows();

    /** Of the tangents of the above. */
    final PaddedRows queryTangent = new PaddedRows();

    final PaddedRows keyTangent = new PaddedRows();
    final PaddedRows valueTangent = new PaddedRows();
    final PaddedRows dOutputTangent = new PaddedRows();

    /** What the offsets below point into. */
    float[] floats = {};

    /**
     * [6, QUERIES]: softmax state; or maximum and delta; or maximum, the log-sum-exp's tangent, delta and its tangent, and the
     * sum of the keys' probabilities' tangents. The last row is the inverse of the sum of the scores' powers
     */
    int state;

    /** [headDim, QUERIES]: transposed, scaled queries and their tangents */
    int queryT;

    int queryTangentT;

    /** [valueDim, QUERIES]: transposed output gradients and their tangents */
    int dOutputT;

    int dOutputTangentT;

    /** [KEYS, QUERIES], of which one group is used: what is added to scores */
    int term;

    /** [KEYS, padded dim]: a block's part of the key or value gradient */
    int keySum;

    /** [keys of a tile, QUERIES]: scores, then probabilities */
    int scores;

    /** Likewise: gradients of probabilities, then of scores */
    int gradients;

    /** Likewise: tangents of scores, then of probabilities */
    int tangents;

    /** Likewise: tangents of the gradients of probabilities, then of scores */
    int gradientTangents;

    /** [keys of a tile, lanes], of one group: what the softcap's hyperbolic tangents lack to 1, and the tangents of its slopes */
    int tails;

    int slopeTangents;

    /** Likewise, with some room on both sides: what dropout multiplies probabilities by */
    int factors;

    /** Room for the random numbers that these are made of. */
    int[] words = {};

    private int headDim;
    private int valueDim;
    private int keys;
    private int lanes;
    private float[] decodeScores = {};

    /**
     * Makes room for the given head dims, padded to whole groups.
     *
     * @param tileKeys keys of which a tile's scores are held at a time
     * @param sideLanes queries of a group, if softcap or dropout keep something of it beside the scores, else 0
     */
    void fit(int paddedHeadDim, int paddedValueDim, int tileKeys, int sideLanes) {
        if (headDim == paddedHeadDim && valueDim == paddedValueDim && keys == tileKeys && lanes == sideLanes) {
            return;
        }
        lanes = sideLanes;
        headDim = paddedHeadDim;
        valueDim = paddedValueDim;
        keys = tileKeys;
        int widest = Math.max(headDim, valueDim);
        state = Block.BASE;
        queryT = state + 6 * QUERIES;
        queryTangentT = queryT + headDim * QUERIES;
        dOutputT = queryTangentT + headDim * QUERIES;
        dOutputTangentT = dOutputT + valueDim * QUERIES;
        term = dOutputTangentT + valueDim * QUERIES;
        keySum = term + KEYS * QUERIES;
        int outputSum = keySum + widest * KEYS;
        int querySum = outputSum + valueDim * QUERIES;
        int keyCopy = querySum + headDim * QUERIES;
        int keyTangentCopy = keyCopy + headDim * KEYS;
        int valueCopy = keyTangentCopy + headDim * KEYS;
        int valueTangentCopy = valueCopy + valueDim * KEYS;
        int queryCopy = valueTangentCopy + valueDim * KEYS;
        int queryTangentCopy = queryCopy + headDim * QUERIES;
        int dOutputCopy = queryTangentCopy + headDim * QUERIES;
        int dOutputTangentCopy = dOutputCopy + valueDim * QUERIES;
        scores = dOutputTangentCopy + valueDim * QUERIES;
        int side = (keys + 2 * MARGIN) * lanes;
        int end = Math.toIntExact(scores + 4L * keys * QUERIES + 3L * side);
        gradients = scores + keys * QUERIES;
        tangents = gradients + keys * QUERIES;
        gradientTangents = tangents + keys * QUERIES;
        tails = gradientTangents + keys * QUERIES;
        slopeTangents = tails + side;
        factors = slopeTangents + side + MARGIN * lanes;
        if (floats.length < end) {
            floats = new float[Math.max(end, 1 << 18)];
        }
        if (words.length < KEYS * lanes) {
            words = new int[KEYS * lanes];
        }
        outputSums.scratchAt(outputSum);
        querySums.scratchAt(querySum);
        key.copyTo(floats, keyCopy);
        keyTangent.copyTo(floats, keyTangentCopy);
        value.copyTo(floats, valueCopy);
        valueTangent.copyTo(floats, valueTangentCopy);
        query.copyTo(floats, queryCopy);
        queryTangent.copyTo(floats, queryTangentCopy);
        dOutput.copyTo(floats, dOutputCopy);
        dOutputTangent.copyTo(floats, dOutputTangentCopy);
    }

    /** Room for the scores of one decoded query. */
    float[] decodeScores(int length) {
        if (decodeScores.length < length) {
            decodeScores = new float[length];
        }
        return decodeScores;
    }
}
