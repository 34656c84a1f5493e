// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.attention.SeriesRing.Term;
import org.fovea.backend.cpu.kernels.scalar.ScalarDoubleKernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;
import org.fovea.backend.math.Philox;
import org.jspecify.annotations.Nullable;

/** The scores of the pairs of a tile, in the order that {@link AttentionSpec} gives. */
final class SeriesScores {
    private final AttentionShape shape;
    private final AttentionSpec spec;
    private final @Nullable ScoreReader[] bias;
    private final @Nullable ScoreReader mask;
    private final @Nullable CpuArray slopes;
    private final boolean euclidean;

    /** What inner products are multiplied by. */
    final double factor;

    SeriesScores(AttentionCall<CpuArray> call, List<AttentionPlane<CpuArray>> arguments) {
        shape = call.shape();
        spec = call.spec();
        bias = new ScoreReader[arguments.size()];
        for (int p = 0; p < bias.length; p++) {
            bias[p] = ScoreReader.of(call.bias(), arguments.get(p).bias());
        }
        mask = ScoreReader.of(call.mask().scores());
        slopes = call.mask().alibiSlopes();
        euclidean = spec.similarity() == Similarity.EUCLIDEAN;
        double scale = spec.scale(shape.headDim());
        factor = euclidean ? 2 * scale : scale;
    }

    /** Everything, for pairs that are not hidden. */
    void compute(SeriesTile t) {
        similarities(t);
        addBiasAndCap(t);
        addMasks(t);
        hide(t);
    }

    /** As far as {@code stage}, to be looked at: pairs are hidden by masks only. */
    void compute(SeriesTile t, ScoreStage stage) {
        similarities(t);
        if (stage.compareTo(ScoreStage.SOFTCAP) >= 0) {
            addBiasAndCap(t);
        }
        if (stage.compareTo(ScoreStage.MASKED) >= 0) {
            addMasks(t);
            hide(t);
        }
        if (stage == ScoreStage.SOFTMAX) {
            SeriesPlanes.subtractFromRows(t.maximum, t.score[0], t.queries, t.keys);
            SeriesPlanes.subtractFromRows(t.logSum, t.score[0], t.queries, t.keys);
            for (int i = 0; i < t.queries * t.keys; i++) {
                t.score[0][i] = t.someHidden && t.hidden[i] ? 0 : Math.exp(t.score[0][i]);
            }
        }
    }

    /** Scaled similarities. */
    private void similarities(SeriesTile t) {
        int pairs = t.queries * t.keys;
        SeriesPlanes.clear(t.score, pairs);
        if (euclidean) {
            addSquaredDistances(t);
            SeriesPlanes.scale(t.score, -factor / 2, pairs);
        } else {
            addProducts(t, t.query, t.keyT, t.score, shape.headDim());
            SeriesPlanes.scale(t.score, factor, pairs);
        }
    }

    /** Squares of differences: those of the rows' own squares and products would cancel where rows are near each other. */
    private void addSquaredDistances(SeriesTile t) {
        int d = shape.headDim();
        for (int r = 0; r < t.queries; r++) {
            for (int c = 0; c < d; c++) {
                for (int p = 0; p < t.difference.length; p++) {
                    if (t.difference[p] != null) {
                        double component = t.query[p] == null ? 0 : t.query[p][r * d + c];
                        subtract(component, t.keyT[p], c * t.keys, t.difference[p], t.keys);
                    }
                }
                for (int p = 0; p < t.score.length; p++) {
                    addSquares(t, p, r * t.keys);
                }
            }
        }
    }

    private static void subtract(
            double component, double @Nullable [] keys, int first, double[] difference, int count) {
        if (keys == null) {
            Arrays.fill(difference, 0, count, component);
            return;
        }
        for (int j = 0; j < count; j++) {
            difference[j] = component - keys[first + j];
        }
    }

    private static void addSquares(SeriesTile t, int plane, int row) {
        double[] score = t.score[plane];
        if (score == null) {
            return;
        }
        for (Term term : t.series.products(plane)) {
            double[] left = t.difference[term.left()];
            double[] right = t.difference[term.right()];
            if (left != null && right != null) {
                for (int j = 0; j < t.keys; j++) {
                    score[row + j] += left[j] * right[j];
                }
            }
        }
    }

    /** Adds the inner products of rows of a tile of queries with those of a tile of keys, which is transposed. */
    static void addProducts(SeriesTile t, double[][] queries, double[][] keysT, double[][] pairs, int dim) {
        for (int plane = 0; plane < pairs.length; plane++) {
            if (pairs[plane] == null) {
                continue;
            }
            for (Term term : t.series.products(plane)) {
                double[] left = queries[term.left()];
                double[] right = keysT[term.right()];
                if (left != null && right != null) {
                    t.kernels.multiplyAdd(left, dim, 1, right, t.keys, pairs[plane], 0, t.keys, t.queries, dim, t.keys);
                }
            }
        }
    }

    /** Adds the bias, then caps what is there. */
    private void addBiasAndCap(SeriesTile t) {
        for (int p = 0; p < bias.length; p++) {
            ScoreReader reader = bias[p];
            if (reader != null) {
                for (int r = 0; r < t.queries; r++) {
                    reader.add(t, r, t.score[p]);
                }
            }
        }
        if (spec.softcap() != 0) {
            t.series.softcap(spec.softcap(), t.score, t.slope, t.uncapped, t.queries * t.keys);
        }
    }

    /** Adds the mask, which {@link SeriesVisibility#look} has read, and what ALiBi takes off for distance. */
    private void addMasks(SeriesTile t) {
        double[] score = t.score[0];
        if (mask != null) {
            for (int i = 0; i < t.queries * t.keys; i++) {
                score[i] += t.mask[i];
            }
        }
        if (slopes != null) {
            double slope = Elements.get(slopes, t.head);
            for (int r = 0; r < t.queries; r++) {
                long distance = t.position[r] - t.firstKey;
                for (int j = 0; j < t.keys; j++) {
                    score[r * t.keys + j] -= slope * Math.abs(distance - j);
                }
            }
        }
    }

    /** Makes hidden pairs -infinity with every derivative 0. */
    private static void hide(SeriesTile t) {
        if (t.someHidden) {
            zeroHidden(t, t.score);
            for (int i = 0; i < t.queries * t.keys; i++) {
                if (t.hidden[i]) {
                    t.score[0][i] = Double.NEGATIVE_INFINITY;
                }
            }
        }
    }

    static void zeroHidden(SeriesTile t, double[][] pairs) {
        if (!t.someHidden) {
            return;
        }
        for (double[] plane : pairs) {
            if (plane != null) {
                for (int i = 0; i < t.queries * t.keys; i++) {
                    plane[i] = t.hidden[i] ? 0 : plane[i];
                }
            }
        }
    }

    /** Finds what each probability of the tile is multiplied by. */
    void drawDropout(SeriesTile t) {
        if (spec.dropout() == 0) {
            return;
        }
        for (int r = 0; r < t.queries; r++) {
            long first = ((long) (t.firstQuery + r) << 34) + t.firstKey;
            Philox.fill(spec.seed(), t.headOfBatch, first, t.uniform, 0, t.keys);
            for (int j = 0; j < t.keys; j++) {
                t.dropout[r * t.keys + j] = spec.dropoutFactor(t.uniform[j]);
            }
        }
    }

    /** Multiplies pairs by what {@link #drawDropout} found. */
    void drop(SeriesTile t, double[][] pairs) {
        if (spec.dropout() == 0) {
            return;
        }
        for (double[] plane : pairs) {
            if (plane != null) {
                for (int i = 0; i < t.queries * t.keys; i++) {
                    plane[i] *= t.dropout[i];
                }
            }
        }
    }

    /** The sum of all rows of {@code x}, each weighted by the pair of it and a row of the sum. */
    static void addWeighted(
            SeriesTile t, double[][] weights, boolean byKey, double[][] x, double[][] sums, int firstSum, int dim) {
        boolean careful = t.someHidden && !allFinite(x, (byKey ? t.queries : t.keys) * dim);
        int row = byKey ? 1 : t.keys;
        int step = byKey ? t.keys : 1;
        int rows = byKey ? t.keys : t.queries;
        int inner = byKey ? t.queries : t.keys;
        for (int plane = 0; plane < sums.length; plane++) {
            double[] sum = sums[plane];
            if (sum == null) {
                continue;
            }
            for (Term term : t.series.products(plane)) {
                double[] left = weights[term.left()];
                double[] right = x[term.right()];
                if (left == null || right == null) {
                    continue;
                }
                if (careful) {
                    ScalarDoubleKernels.multiplyAddVisible(
                            t.hidden, left, row, step, right, dim, sum, firstSum * dim, dim, rows, inner, dim);
                } else {
                    t.kernels.multiplyAdd(left, row, step, right, dim, sum, firstSum * dim, dim, rows, inner, dim);
                }
            }
        }
    }

    private static boolean allFinite(double[][] x, int size) {
        return Arrays.stream(x).allMatch(plane -> plane == null || ScalarDoubleKernels.allFinite(plane, size));
    }
}
