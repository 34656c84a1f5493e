// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.BitSet;
import org.fovea.backend.cpu.kernels.DoubleKernels;

/**
 * The scratch memory of one thread: planes of a tile of queries, of a tile of keys, and of the pairs of both. Kept from call to
 * call as long as the {@link SeriesPattern} is the same.
 */
final class SeriesTile {
    /** Queries of a tile. */
    static final int QUERIES = 32;

    /** Keys of a tile. */
    static final int KEYS = 64;

    private static final int PAIRS = QUERIES * KEYS;

    final SeriesPattern pattern;
    final SeriesPlanes series;
    final DoubleKernels kernels;

    // Where the tile of queries is.
    int batch;
    int head;
    int keyHead;

    /** {@code batch * heads + head} */
    int headOfBatch;

    int firstQuery;
    int queries;

    /** The keys [from, to) that the tile's queries see among them. */
    int from;

    int to;
    final int[] low = new int[QUERIES];
    final int[] high = new int[QUERIES];

    /** Where among the keys each query stands. */
    final long[] position = new long[QUERIES];

    /** Whether each query sees any key. */
    final boolean[] alive = new boolean[QUERIES];

    // Where the tile of keys is.
    int firstKey;
    int keys;

    /** Whether any of its pairs is visible, and so their scores are there. */
    boolean scored;

    /** Whether any pair of the tile is hidden, and which. */
    boolean someHidden;

    final boolean[] hidden = new boolean[PAIRS];
    final double[] mask;
    final double[] dropout;
    final float[] uniform = new float[KEYS];
    final double[] row = new double[KEYS];

    // [queries, headDim], [queries] and [queries, valueDim].
    final double[][] query;
    final double[][] queryInverse;
    final double[][] queryNorm;
    final double[] maximum = new double[QUERIES];

    /** What the exponential of a maximum counts for in the sums. */
    double largest;

    /** Of the sum of exponentials of scores less the maximum; together they may have no digits left for it. */
    final double[] logSum = new double[QUERIES];

    final double[] factor = new double[QUERIES];
    final double[] inverse = new double[QUERIES];
    final double[][] sum;
    final double[][] logSumExp;
    final double[][] output;
    final double[][] dOutput;
    final double[][] delta;
    final double[][] dQuery;
    final double[][] dSimilaritySum;
    final double[][] sinkProbability;
    final double[][] sinkScore;
    final double[][] sinkSum;

    // [keys, headDim], its transpose [headDim, keys], and likewise for values.
    final double[][] key;
    final double[][] keyT;
    final double[][] keyInverse;
    final double[][] keyNorm;
    final double[][] value;
    final double[][] valueT;
    final double[][] dKey;
    final double[][] keySum;

    /** Of a component of a query and of each key. */
    final double[][] difference;

    // Pairs, [queries, keys].
    final double[][] score;

    /** Of the probabilities; where the score has a plane, the same one. */
    final double[][] exponent;

    final double[][] uncapped;
    final double[][] slope;
    final double[][] probability;
    final double[][] dProbability;
    final double[][] dScore;

    /** dS times slope, which is dS itself without a softcap. */
    final double[][] dSimilarity;

    // Room for the inverse of a norm: one number for each row.
    final double[][] square;
    final double[][] cube;

    /** Sums over all queries of a key head. */
    KeyGradients keyGradients;

    SeriesTile(SeriesPattern p, DoubleKernels kernels) {
        this.kernels = kernels;
        keyGradients = new KeyGradients(p, 0, 0);
        pattern = p;
        series = new SeriesPlanes(p.ring());
        int queryRows = QUERIES * p.headDim();
        int keyRows = KEYS * p.headDim();
        int valueRows = KEYS * p.valueDim();
        int outputRows = QUERIES * p.valueDim();
        query = series.allocate(p.query(), queryRows);
        queryInverse = series.allocate(p.queryInverse(), QUERIES);
        queryNorm = series.allocate(p.queryNorm(), QUERIES);
        sum = series.allocate(p.sum(), QUERIES);
        logSumExp = series.allocate(p.logSumExp(), QUERIES);
        output = series.allocate(p.output(), outputRows);
        dOutput = series.allocate(p.dOutput(), outputRows);
        delta = series.allocate(p.delta(), QUERIES);
        dQuery = series.allocate(p.dQuery(), queryRows);
        dSimilaritySum = series.allocate(p.euclidean() ? p.dSimilarity() : new BitSet(), QUERIES);
        sinkProbability = series.allocate(p.sink().isEmpty() ? new BitSet() : p.probability(), QUERIES);
        sinkScore = series.allocate(p.sink().isEmpty() ? new BitSet() : p.probability(), QUERIES);
        sinkSum = series.allocate(p.sink().isEmpty() ? new BitSet() : series.product(p.probability(), p.delta()), 1);

        key = series.allocate(p.key(), keyRows);
        keyT = series.allocate(p.key(), keyRows);
        keyInverse = series.allocate(p.keyInverse(), KEYS);
        keyNorm = series.allocate(p.keyNorm(), KEYS);
        value = series.allocate(p.value(), valueRows);
        valueT = series.allocate(p.gradients() ? p.value() : new BitSet(), valueRows);

        dKey = series.allocate(p.dKey(), keyRows);
        keySum = series.allocate(p.euclidean() ? p.dSimilarity() : new BitSet(), KEYS);
        BitSet differences = p.euclidean() ? SeriesPlanes.sum(p.query(), p.key()) : new BitSet();
        difference = series.allocate(differences, KEYS);

        score = series.allocate(p.score(), PAIRS);
        exponent = series.allocate(p.logSumExp(), PAIRS);
        for (int plane = 0; plane < series.planes; plane++) {
            if (score[plane] != null) {
                exponent[plane] = score[plane];
            }
        }
        slope = series.allocate(p.slope(), PAIRS);
        probability = series.allocate(p.probability(), PAIRS);
        BitSet pairs = p.gradients() ? p.dProbability() : new BitSet();
        dProbability = series.allocate(pairs, PAIRS);
        dScore = series.allocate(p.gradients() ? p.dScore() : pairs, PAIRS);
        dSimilarity = p.slope().isEmpty() ? dScore : series.allocate(p.dSimilarity(), PAIRS);
        uncapped = p.slope().isEmpty() ? score : series.allocate(p.score(), PAIRS);

        boolean cosine = !p.queryInverse().isEmpty();
        square = series.allocate(cosine ? series.all() : new BitSet(), KEYS);
        cube = series.allocate(cosine ? series.all() : new BitSet(), KEYS);
        mask = new double[PAIRS];
        dropout = new double[PAIRS];
    }
}
