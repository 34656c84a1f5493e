// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.cpu.memory.CpuArray;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of a tile of queries, right after its {@link SeriesForward}. With z the scores and LSE, O what the forward gave,
 * every product one of series:
 *
 * <pre>
 *   P = exp(z - LSE) = exp((z - max) - log sum)
 *   D = dO . O - dLSE;  G = dO V^T - D;  dS = P G;  dZ = dS (1 - tanh^2) under a softcap
 *   dQ = scale dZ K;  dK = scale dZ^T Q;  dV = P^T dO;  dBias = dZ;  dSink = -sum of exp(sink - LSE) D
 * </pre>
 */
final class SeriesBackward {
    private final SeriesVisibility visibility;
    private final SeriesRows rows;
    private final SeriesScores scores;
    private final SeriesForward forward;
    private final List<AttentionPlane<CpuArray>> results;
    private final @Nullable ScoreReader bias;
    private final int group;

    /**
     * @param bias of any plane: tells where on the bias a pair falls
     * @param group query heads of a key head
     */
    SeriesBackward(
            SeriesVisibility visibility,
            SeriesRows rows,
            SeriesScores scores,
            SeriesForward forward,
            List<AttentionPlane<CpuArray>> results,
            @Nullable ScoreReader bias,
            int group) {
        this.visibility = visibility;
        this.rows = rows;
        this.scores = scores;
        this.forward = forward;
        this.results = results;
        this.bias = bias;
        this.group = group;
    }

    /**
     * Stores the gradients of the tile's queries and adds to those of what other queries share.
     *
     * @param dBias as large as the bias
     */
    void tile(SeriesTile t, double[][] dBias) {
        rows.loadOutputGradients(t);
        for (int r = 0; r < t.queries; r++) {
            if (!t.alive[r]) {
                // Its output is 0 whatever the gradient, which may be NaN.
                SeriesPlanes.zeroRow(t.dOutput, r, t.pattern.valueDim());
            }
        }
        SeriesPlanes.clear(t.delta, t.queries);
        t.series.addRowDots(t.dOutput, t.output, t.delta, t.queries, t.pattern.valueDim());
        rows.subtractLogSumExpGradients(t);
        SeriesPlanes.clear(t.dQuery, t.queries * t.pattern.headDim());
        SeriesPlanes.clear(t.dSimilaritySum, t.queries);
        int tiles = (t.to - t.from + SeriesTile.KEYS - 1) / SeriesTile.KEYS;
        // Backwards: the scores of the last tile are still there.
        for (int tile = tiles - 1; tile >= 0; tile--) {
            if (tile < tiles - 1) {
                t.firstKey = t.from + tile * SeriesTile.KEYS;
                t.keys = SeriesTile.KEYS;
                t.scored = visibility.look(t);
                if (t.scored) {
                    rows.loadKeys(t);
                    rows.loadValues(t);
                    scores.compute(t);
                    scores.drawDropout(t);
                }
            }
            if (t.scored) {
                addKeys(t, dBias);
            }
        }
        rows.storeQueryGradients(t, scores.factor, results);
        addSink(t);
    }

    private void addKeys(SeriesTile t, double[][] dBias) {
        int pairs = t.queries * t.keys;
        probabilities(t);
        SeriesPlanes.clear(t.dProbability, pairs);
        SeriesScores.addProducts(t, t.dOutput, t.valueT, t.dProbability, t.pattern.valueDim());
        scores.drop(t, t.dProbability);
        for (int p = 0; p < t.delta.length; p++) {
            if (t.delta[p] != null) {
                SeriesPlanes.subtractFromRows(t.delta[p], t.dProbability[p], t.queries, t.keys);
            }
        }
        t.series.multiply(t.probability, t.dProbability, t.dScore, pairs);
        if (t.dSimilarity != t.dScore) {
            // Back through the softcap.
            t.series.multiply(t.dScore, t.slope, t.dSimilarity, pairs);
        }
        SeriesScores.zeroHidden(t, t.dSimilarity);

        int dim = t.pattern.headDim();
        SeriesScores.addWeighted(t, t.dSimilarity, false, t.key, t.dQuery, 0, dim);
        SeriesScores.addWeighted(t, t.dSimilarity, true, t.query, t.keyGradients.key, t.firstKey, dim);
        if (t.pattern.euclidean()) {
            for (int p = 0; p < t.dSimilarity.length; p++) {
                if (t.dSimilarity[p] != null) {
                    SeriesPlanes.addRowSums(t.dSimilarity[p], t.dSimilaritySum[p], t.queries, t.keys);
                    SeriesPlanes.addColumnSums(
                            t.dSimilarity[p], t.keyGradients.dSimilaritySum[p], t.firstKey, t.queries, t.keys);
                }
            }
        }
        for (int p = 0; p < dBias.length; p++) {
            if (bias != null && dBias[p] != null && t.dSimilarity[p] != null) {
                bias.reduce(t, t.dSimilarity[p], dBias[p]);
            }
        }
        scores.drop(t, t.probability);
        SeriesScores.addWeighted(
                t, t.probability, true, t.dOutput, t.keyGradients.value, t.firstKey, t.pattern.valueDim());
    }

    private static void probabilities(SeriesTile t) {
        int pairs = t.queries * t.keys;
        for (int p = 0; p < t.exponent.length; p++) {
            double[] exponent = t.exponent[p];
            if (exponent == null) {
                continue;
            }
            if (t.score[p] == null) {
                Arrays.fill(exponent, 0, pairs, 0);
            }
            subtractLogSumExp(t, p, exponent, t.keys);
        }
        System.arraycopy(t.exponent[0], 0, t.probability[0], 0, pairs);
        t.kernels.exp(t.probability[0], pairs);
        t.series.exp(t.exponent, t.probability, pairs);
        SeriesScores.zeroHidden(t, t.probability);
    }

    /** The value in two steps: for huge scores the log-sum-exp itself is their maximum. */
    private static void subtractLogSumExp(SeriesTile t, int plane, double[] x, int columns) {
        if (plane == 0) {
            SeriesPlanes.subtractFromRows(t.maximum, x, t.queries, columns);
            SeriesPlanes.subtractFromRows(t.logSum, x, t.queries, columns);
        } else if (t.logSumExp[plane] != null) {
            SeriesPlanes.subtractFromRows(t.logSumExp[plane], x, t.queries, columns);
        }
    }

    private void addSink(SeriesTile t) {
        if (t.pattern.dSink().isEmpty()) {
            return;
        }
        forward.loadSink(t);
        for (int p = 0; p < t.sinkScore.length; p++) {
            if (t.sinkScore[p] != null) {
                subtractLogSumExp(t, p, t.sinkScore[p], 1);
            }
        }
        for (int r = 0; r < t.queries; r++) {
            t.sinkProbability[0][r] = Math.exp(t.sinkScore[0][r]);
        }
        t.series.exp(t.sinkScore, t.sinkProbability, t.queries);
        for (int r = 0; r < t.queries; r++) {
            if (t.maximum[r] == Double.POSITIVE_INFINITY) {
                SeriesPlanes.zeroRow(t.sinkProbability, r, 1);
                SeriesPlanes.zeroRow(t.delta, r, 1);
            }
        }
        SeriesPlanes.clear(t.sinkSum, 1);
        // The inner product of two columns of the tile's rows.
        t.series.addRowDots(t.sinkProbability, t.delta, t.sinkSum, 1, t.queries);
        double[][] sums = t.keyGradients.sink;
        for (int p = 0; p < sums.length; p++) {
            if (sums[p] != null && t.sinkSum[p] != null) {
                sums[p][t.head - t.keyHead * group] -= t.sinkSum[p][0];
            }
        }
    }
}
