package org.fovea.backend.cpu;

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

    private static final AttentionBand NOTHING = new AttentionBand(0, 0, 0);

    /** Number of the tile's head, its first query, and how many queries and groups of them it has. */
    int head;

    int firstQuery;
    int queries;
    int groups;

    AttentionBand band = NOTHING;

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

    /** Where the tile's output or query gradient is summed: its place in the result, or scratch. */
    boolean sumInPlace;

    float[] sums = {};
    int sum;
    int sumStride;

    /** Keys before this one have gradients of the head in their place; those of later keys are garbage yet. */
    int writtenKeys;

    final Operand query = new Operand();
    final Operand key = new Operand();
    final Operand value = new Operand();
    final Operand dOutput = new Operand();

    /** What the offsets below point into. */
    float[] floats = {};

    /** [3, QUERIES]: softmax state, or log-sum-exp and delta */
    int state;

    /** [KEYS, QUERIES]: scores, then probabilities */
    int scores;

    /** [KEYS, QUERIES]: gradients of probabilities, then of scores */
    int gradients;

    /** [headDim, QUERIES]: transposed, scaled queries */
    int queryT;

    /** [valueDim, QUERIES]: transposed output gradients */
    int dOutputT;

    /** [QUERIES, padded dim]: output or query gradient, if it isn't summed in place */
    int sumScratch;

    /** [KEYS, padded dim]: a block's part of the key or value gradient */
    int keySum;

    private int headDim;
    private int valueDim;
    private float[] decodeScores = {};

    /** Makes room for the given head dims, padded to whole groups. */
    void fit(int paddedHeadDim, int paddedValueDim) {
        if (headDim == paddedHeadDim && valueDim == paddedValueDim) {
            return;
        }
        headDim = paddedHeadDim;
        valueDim = paddedValueDim;
        int widest = Math.max(headDim, valueDim);
        state = Block.BASE;
        scores = state + 3 * QUERIES;
        gradients = scores + KEYS * QUERIES;
        queryT = gradients + KEYS * QUERIES;
        dOutputT = queryT + headDim * QUERIES;
        sumScratch = dOutputT + valueDim * QUERIES;
        keySum = sumScratch + widest * QUERIES;
        int keyCopy = keySum + widest * KEYS;
        int valueCopy = keyCopy + headDim * KEYS;
        int queryCopy = valueCopy + valueDim * KEYS;
        int dOutputCopy = queryCopy + headDim * QUERIES;
        int end = dOutputCopy + valueDim * QUERIES;
        if (floats.length < end) {
            floats = new float[Math.max(end, 1 << 18)];
        }
        key.copyTo(floats, keyCopy);
        value.copyTo(floats, valueCopy);
        query.copyTo(floats, queryCopy);
        dOutput.copyTo(floats, dOutputCopy);
    }

    /** Room for the scores of one decoded query. */
    float[] decodeScores(int length) {
        if (decodeScores.length < length) {
            decodeScores = new float[length];
        }
        return decodeScores;
    }
}
