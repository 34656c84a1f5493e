// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.series;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.AttentionSpec.Similarity;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.Elements;
import org.jspecify.annotations.Nullable;

/**
 * Rows of queries, keys, values and outputs on their way into tiles and out of them. Cosine similarity is the dot product
 * of normalised rows, so here is where rows are normalised, and gradients taken back to what they were before.
 */
final class SeriesRows {
    private final AttentionShape shape;
    private final List<AttentionPlane<CpuArray>> arguments;
    private final boolean cosine;
    private final boolean euclidean;

    SeriesRows(AttentionShape shape, AttentionSpec spec, List<AttentionPlane<CpuArray>> arguments) {
        this.shape = shape;
        this.arguments = arguments;
        cosine = spec.similarity() == Similarity.COSINE;
        euclidean = spec.similarity() == Similarity.EUCLIDEAN;
    }

    void loadQueries(SeriesTile t) {
        load(
                AttentionPlane::query,
                shape.heads(),
                shape.queries(),
                t.batch,
                t.head,
                t.firstQuery,
                t.queries,
                t.query,
                shape.headDim());
        prepare(t, t.query, t.queryNorm, t.queryInverse, t.queries);
    }

    void loadKeys(SeriesTile t) {
        load(
                AttentionPlane::key,
                shape.keyHeads(),
                shape.keys(),
                t.batch,
                t.keyHead,
                t.firstKey,
                t.keys,
                t.key,
                shape.headDim());
        prepare(t, t.key, t.keyNorm, t.keyInverse, t.keys);
        transpose(t.key, t.keyT, t.keys, shape.headDim());
    }

    void loadValues(SeriesTile t) {
        load(
                AttentionPlane::value,
                shape.keyHeads(),
                shape.keys(),
                t.batch,
                t.keyHead,
                t.firstKey,
                t.keys,
                t.value,
                shape.valueDim());
        transpose(t.value, t.valueT, t.keys, shape.valueDim());
    }

    void loadOutputGradients(SeriesTile t) {
        load(
                AttentionPlane::output,
                shape.heads(),
                shape.queries(),
                t.batch,
                t.head,
                t.firstQuery,
                t.queries,
                t.dOutput,
                shape.valueDim());
    }

    /** Subtracts the gradient of the log-sum-exp. */
    void subtractLogSumExpGradients(SeriesTile t) {
        int first = scalar(t);
        for (int p = 0; p < t.delta.length; p++) {
            CpuArray gradient = arguments.get(p).logSumExp();
            if (gradient != null && t.delta[p] != null) {
                for (int r = 0; r < t.queries; r++) {
                    t.delta[p][r] -= Elements.get(gradient, first + r);
                }
            }
        }
    }

    /** Where the tile's numbers start in an array that has one for each query. */
    int scalar(SeriesTile t) {
        return t.headOfBatch * shape.queries() + t.firstQuery;
    }

    private void prepare(SeriesTile t, double[][] x, double[][] norm, double[][] inverse, int rows) {
        if (cosine) {
            normalize(t, x, norm, inverse, rows);
        }
    }

    /** {@code x = x / |x|}, and 1 / |x| to {@code inverse}; 0 for a row of zeros. */
    private void normalize(SeriesTile t, double[][] x, double[][] norm, double[][] inverse, int rows) {
        int d = shape.headDim();
        // Powers of two near the inverse of a row's largest element, so that its square is in range.
        double[] size = t.row;
        for (int r = 0; r < rows; r++) {
            double largest = 0;
            for (int at = r * d; at < (r + 1) * d; at++) {
                largest = Math.max(largest, Math.abs(x[0][at]));
            }
            boolean ordinary = largest > 0 && largest <= Double.MAX_VALUE;
            size[r] = ordinary ? Math.scalb(1.0, -Math.max(Math.getExponent(largest), -1022)) : 1;
        }
        scaleRows(x, size, rows, d);
        SeriesPlanes.clear(norm, rows);
        t.series.addRowDots(x, x, norm, rows, d);
        t.series.inverseRoot(norm, inverse, t.square, t.cube, rows);
        t.series.multiplyRows(x, inverse, rows, d);
        scaleRows(inverse, size, rows, 1);
    }

    private static void scaleRows(double[][] x, double[] factor, int rows, int columns) {
        for (double[] plane : x) {
            if (plane != null) {
                for (int r = 0; r < rows; r++) {
                    for (int c = 0; c < columns; c++) {
                        plane[r * columns + c] *= factor[r];
                    }
                }
            }
        }
    }

    /** From the gradient of normalised rows {@code x} to that of the rows: {@code (g - x (x . g)) / |row|}. */
    private void pullBack(SeriesTile t, double[][] x, double[][] inverse, double[][] gradient, int rows) {
        int d = shape.headDim();
        SeriesPlanes.clear(t.square, rows);
        t.series.addRowDots(x, gradient, t.square, rows, d);
        t.series.addRowProducts(t.square, x, -1, gradient, rows, d);
        t.series.multiplyRows(gradient, inverse, rows, d);
    }

    /**
     * Makes rows 0 that have no part in anything, as those of padding: they may hold what isn't a number, which the way
     * back through a norm would take into a gradient that is 0.
     */
    private void forgetUnused(double[][] x, double[][] inverse, double[][] gradient, double[][] sums, int rows) {
        if (!cosine && !euclidean) {
            return;
        }
        for (int r = 0; r < rows; r++) {
            if (isZeroRow(gradient, r, shape.headDim()) && isZeroRow(sums, r, 1)) {
                SeriesPlanes.zeroRow(x, r, shape.headDim());
                SeriesPlanes.zeroRow(inverse, r, 1);
            }
        }
    }

    private static boolean isZeroRow(double[][] x, int row, int columns) {
        for (double[] plane : x) {
            for (int at = row * columns; plane != null && at < (row + 1) * columns; at++) {
                if (plane[at] != 0) {
                    return false;
                }
            }
        }
        return true;
    }

    /** Finishes and stores the gradients of the tile's queries. */
    void storeQueryGradients(SeriesTile t, double scale, List<AttentionPlane<CpuArray>> results) {
        forgetUnused(t.query, t.queryInverse, t.dQuery, t.dSimilaritySum, t.queries);
        if (euclidean) {
            t.series.addRowProducts(t.dSimilaritySum, t.query, -1, t.dQuery, t.queries, shape.headDim());
        }
        SeriesPlanes.scale(t.dQuery, scale, t.queries * shape.headDim());
        if (cosine) {
            pullBack(t, t.query, t.queryInverse, t.dQuery, t.queries);
        }
        store(
                t.dQuery,
                0,
                results,
                AttentionPlane::query,
                shape.heads(),
                shape.queries(),
                t.batch,
                t.head,
                t.firstQuery,
                t.queries,
                shape.headDim());
    }

    /** Finishes and stores the gradients of the keys of a key head. */
    void storeKeyGradients(SeriesTile t, double scale, List<AttentionPlane<CpuArray>> results) {
        int d = shape.headDim();
        for (int first = 0; first < shape.keys(); first += SeriesTile.KEYS) {
            t.firstKey = first;
            t.keys = Math.min(SeriesTile.KEYS, shape.keys() - first);
            copy(t.keyGradients.key, first * d, t.dKey, t.keys * d);
            if (cosine || euclidean) {
                loadKeys(t);
            }
            if (euclidean) {
                copy(t.keyGradients.dSimilaritySum, first, t.keySum, t.keys);
            }
            forgetUnused(t.key, t.keyInverse, t.dKey, t.keySum, t.keys);
            if (euclidean) {
                t.series.addRowProducts(t.keySum, t.key, -1, t.dKey, t.keys, d);
            }
            SeriesPlanes.scale(t.dKey, scale, t.keys * d);
            if (cosine) {
                pullBack(t, t.key, t.keyInverse, t.dKey, t.keys);
            }
            store(
                    t.dKey,
                    0,
                    results,
                    AttentionPlane::key,
                    shape.keyHeads(),
                    shape.keys(),
                    t.batch,
                    t.keyHead,
                    first,
                    t.keys,
                    d);
        }
    }

    private static void copy(double[][] source, int offset, double[][] target, int count) {
        for (int p = 0; p < target.length; p++) {
            if (target[p] != null) {
                System.arraycopy(source[p], offset, target[p], 0, count);
            }
        }
    }

    void storeValueGradients(SeriesTile t, List<AttentionPlane<CpuArray>> results) {
        store(
                t.keyGradients.value,
                0,
                results,
                AttentionPlane::value,
                shape.keyHeads(),
                shape.keys(),
                t.batch,
                t.keyHead,
                0,
                shape.keys(),
                shape.valueDim());
    }

    void storeOutputs(SeriesTile t, List<AttentionPlane<CpuArray>> results) {
        store(
                t.output,
                0,
                results,
                AttentionPlane::output,
                shape.heads(),
                shape.queries(),
                t.batch,
                t.head,
                t.firstQuery,
                t.queries,
                shape.valueDim());
        for (int p = 0; p < t.logSumExp.length; p++) {
            CpuArray target = results.get(p).logSumExp();
            if (target != null) {
                if (t.logSumExp[p] == null) {
                    Elements.fill(target, scalar(t), t.queries, 0);
                } else {
                    Elements.write(t.logSumExp[p], 0, target, scalar(t), t.queries);
                }
            }
        }
    }

    private void load(
            Function<AttentionPlane<CpuArray>, @Nullable CpuArray> part,
            int heads,
            int rows,
            int batch,
            int head,
            int first,
            int count,
            double[][] target,
            int dim) {
        for (int p = 0; p < target.length; p++) {
            if (target[p] == null) {
                continue;
            }
            CpuArray array = part.apply(arguments.get(p));
            if (array == null) {
                Arrays.fill(target[p], 0, count * dim, 0);
            } else if (shape.layout() == AttentionShape.Layout.BHND) {
                int row = (batch * heads + head) * rows + first;
                Elements.read(array, row * dim, target[p], 0, count * dim);
            } else {
                for (int r = 0; r < count; r++) {
                    int row = (batch * rows + first + r) * heads + head;
                    Elements.read(array, row * dim, target[p], r * dim, dim);
                }
            }
        }
    }

    private void store(
            double[][] source,
            int offset,
            List<AttentionPlane<CpuArray>> results,
            Function<AttentionPlane<CpuArray>, @Nullable CpuArray> part,
            int heads,
            int rows,
            int batch,
            int head,
            int first,
            int count,
            int dim) {
        boolean dense = shape.layout() == AttentionShape.Layout.BHND;
        for (int p = 0; p < results.size(); p++) {
            CpuArray target = part.apply(results.get(p));
            if (target == null) {
                continue;
            }
            for (int r = 0; r < count; r++) {
                int row = dense ? (batch * heads + head) * rows + first + r : (batch * rows + first + r) * heads + head;
                if (source[p] == null) {
                    Elements.fill(target, row * dim, dim, 0);
                } else {
                    Elements.write(source[p], offset + r * dim, target, row * dim, dim);
                }
            }
        }
    }

    private static void transpose(double[][] x, double[][] xT, int rows, int columns) {
        for (int p = 0; p < x.length; p++) {
            double[] from = x[p];
            double[] to = xT[p];
            if (from != null && to != null) {
                for (int c = 0; c < columns; c++) {
                    for (int r = 0; r < rows; r++) {
                        to[c * rows + r] = from[r * columns + c];
                    }
                }
            }
        }
    }
}
