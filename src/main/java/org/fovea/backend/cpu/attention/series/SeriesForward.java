// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;

/**
 * Outputs and log-sum-exps of a tile of queries, keys passing by in tiles: every order rescaled as the maximum grows. Where the sums
 * overflow they are recomputed, lowered: of values near the largest number a mean may be finite where their sum isn't.
 */
final class SeriesForward {
    private final SeriesVisibility visibility;
    private final SeriesRows rows;
    private final SeriesScores scores;
    private final List<AttentionPlane<CpuArray>> arguments;

    SeriesForward(
            SeriesVisibility visibility,
            SeriesRows rows,
            SeriesScores scores,
            List<AttentionPlane<CpuArray>> arguments) {
        this.visibility = visibility;
        this.rows = rows;
        this.scores = scores;
        this.arguments = arguments;
    }

    /** Computes the tile that {@code t} is set to. */
    void tile(SeriesTile t) {
        rows.loadQueries(t);
        visibility.place(t);
        sum(t, 1);
        if (!SeriesPlanes.allFinite(t.output, t.queries * t.pattern.valueDim())) {
            sum(t, 0x1p-32);
        }
        finish(t);
    }

    /** @param largest what the exponential of the maximum counts for, a power of two */
    private void sum(SeriesTile t, double largest) {
        t.largest = largest;
        start(t);
        for (int first = t.from; first < t.to; first += SeriesTile.KEYS) {
            t.firstKey = first;
            t.keys = Math.min(SeriesTile.KEYS, t.to - first);
            t.scored = visibility.look(t);
            if (t.scored) {
                rows.loadKeys(t);
                rows.loadValues(t);
                scores.compute(t);
                scores.drawDropout(t);
                addKeys(t);
            }
        }
    }

    private void start(SeriesTile t) {
        SeriesPlanes.clear(t.sum, t.queries);
        SeriesPlanes.clear(t.output, t.queries * t.pattern.valueDim());
        Arrays.fill(t.maximum, 0, t.queries, Double.NEGATIVE_INFINITY);
        CpuArray sink = arguments.get(0).sink();
        if (sink == null) {
            return;
        }
        double logit = Elements.get(sink, t.head);
        if (logit != Double.NEGATIVE_INFINITY) {
            loadSink(t);
            Arrays.fill(t.maximum, 0, t.queries, logit);
            Arrays.fill(t.sum[0], 0, t.queries, t.largest);
            t.series.exp(t.sinkScore, t.sum, t.queries);
        }
    }

    /** Writes the sink's logit to each row. */
    void loadSink(SeriesTile t) {
        for (int p = 0; p < t.sinkScore.length; p++) {
            if (t.sinkScore[p] != null) {
                CpuArray sink = arguments.get(p).sink();
                Arrays.fill(t.sinkScore[p], 0, t.queries, sink == null ? 0 : Elements.get(sink, t.head));
            }
        }
    }

    private void addKeys(SeriesTile t) {
        int dim = t.pattern.valueDim();
        double[] score = t.score[0];
        double[] probability = t.probability[0];
        for (int r = 0; r < t.queries; r++) {
            int row = r * t.keys;
            double maximum = t.maximum[r];
            for (int j = row; j < row + t.keys; j++) {
                maximum = Math.max(maximum, score[j]);
            }
            if (maximum == Double.NEGATIVE_INFINITY) {
                Arrays.fill(probability, row, row + t.keys, maximum);
                continue;
            }
            if (maximum != t.maximum[r]) {
                double factor = Math.exp(t.maximum[r] - maximum);
                SeriesPlanes.scaleRow(t.sum, factor, r, 1);
                SeriesPlanes.scaleRow(t.output, factor, r, dim);
                t.maximum[r] = maximum;
            }
            for (int j = row; j < row + t.keys; j++) {
                probability[j] = score[j] - maximum;
            }
        }
        t.kernels.exp(probability, t.queries * t.keys);
        if (t.largest != 1) {
            for (int pair = 0; pair < t.queries * t.keys; pair++) {
                probability[pair] *= t.largest;
            }
        }
        t.series.exp(t.score, t.probability, t.queries * t.keys);
        for (int p = 0; p < t.sum.length; p++) {
            if (t.sum[p] != null && t.probability[p] != null) {
                SeriesPlanes.addRowSums(t.probability[p], t.sum[p], t.queries, t.keys);
            }
        }
        scores.drop(t, t.probability);
        SeriesScores.addWeighted(t, t.probability, false, t.value, t.output, 0, dim);
    }

    private void finish(SeriesTile t) {
        int dim = t.pattern.valueDim();
        for (int r = 0; r < t.queries; r++) {
            t.inverse[r] = 1 / t.sum[0][r];
        }
        t.series.divideRows(t.output, t.sum, t.inverse, t.queries, dim);
        SeriesPlanes.scale(t.sum, 1 / t.largest, t.queries);
        for (int r = 0; r < t.queries; r++) {
            t.inverse[r] *= t.largest;
            t.logSum[r] = Math.log(t.sum[0][r]);
            t.logSumExp[0][r] = t.maximum[r] + t.logSum[r];
        }
        t.series.log(t.sum, t.inverse, t.logSumExp, t.queries);
        for (int r = 0; r < t.queries; r++) {
            if (t.sum[0][r] == 0) {
                // Neither a key nor a sink has a part in it.
                SeriesPlanes.zeroRow(t.output, r, dim);
                SeriesPlanes.zeroRow(t.logSumExp, r, 1);
                t.logSumExp[0][r] = Double.POSITIVE_INFINITY;
                t.maximum[r] = Double.POSITIVE_INFINITY;
                t.logSum[r] = 0;
            }
        }
    }
}
