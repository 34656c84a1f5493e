// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * Rows of three columns more, so that {@code -|q - k|^2 / 2} is a dot product: those of queries and keys are
 *
 * <pre>
 * (q, -|q|^2 / 2, 1, 0)    (k, 1, -|k|^2 / 2, 0)
 * </pre>
 *
 * and with x' a mapped row, g the gradient for it, n the column of its square, and dots for tangents,
 *
 * <pre>
 * x'. = (x., -x . x., 0, 1)     dx = g - g_n x     dx. = g. - g._n x - g_n x.
 * </pre>
 *
 * The last column, 0 with tangent 1, takes no part in products or their tangents; but the tangent of the gradient for it is
 * the sum that g_n is. Distances don't depend on where the origin is, which may be put amid the keys.
 */
final class EuclideanRows extends SimilarityRows {
    /** Columns beside those of the row. */
    static final int MORE = 3;

    private final RowPlaces places;
    private final int square;
    private final int one;
    private final int last;
    private @Nullable CpuArray origins;

    private EuclideanRows(
            CpuArray rows, RowPlaces places, int dim, int square, int one, FloatArrays floats, Workers workers) {
        super(rows, dim, floats, workers);
        this.places = places;
        this.square = square;
        this.one = one;
        last = dim + 2;
    }

    static EuclideanRows queries(CpuArray rows, AttentionShape shape, FloatArrays floats, Workers workers) {
        int dim = shape.headDim();
        return new EuclideanRows(rows, RowPlaces.ofQueries(shape), dim, dim, dim + 1, floats, workers);
    }

    static EuclideanRows keys(CpuArray rows, AttentionShape shape, FloatArrays floats, Workers workers) {
        int dim = shape.headDim();
        return new EuclideanRows(rows, RowPlaces.ofKeys(shape), dim, dim + 1, dim, floats, workers);
    }

    @Override
    int columns() {
        return dim + MORE;
    }

    @Override
    boolean needsGradients() {
        return false;
    }

    /** Moves the origin of each key head. */
    void setOrigins(CpuArray origins) {
        this.origins = origins;
    }

    /** The largest square of the length of a mapped row, of those that are numbers. */
    float largestSquare(CpuArray mapped) {
        float largest = 0;
        for (int row = 0; row < count; row++) {
            float x = -2 * mapped.floats[at(mapped, row, columns()) + square];
            largest = x > largest ? x : largest;
        }
        return largest;
    }

    /** The mean of each key head's finite rows, [key heads of the batch, dim]; these must be keys. */
    CpuArray means() {
        int heads = places.rows() == 0 ? 0 : count / places.rows();
        CpuArray means = floats.allocate((long) heads * dim);
        workers.run(heads, head -> {
            double[] sums = new double[dim];
            int finite = 0;
            for (int key = 0; key < places.rows(); key++) {
                int from = at(rows, places.row(head, key), dim);
                if (dot(rows.floats, from, rows.floats, from, dim) < Double.POSITIVE_INFINITY) {
                    finite++;
                    for (int i = 0; i < dim; i++) {
                        sums[i] += rows.floats[from + i];
                    }
                }
            }
            int to = at(means, head, dim);
            for (int i = 0; i < dim; i++) {
                means.floats[to + i] = (float) (sums[i] / Math.max(1, finite));
            }
        });
        return means;
    }

    /** Writes the row, less its origin, to {@code target}. */
    private void move(int row, float[] target, int to) {
        int from = at(rows, row, dim);
        if (origins == null) {
            System.arraycopy(rows.floats, from, target, to, dim);
            return;
        }
        int origin = at(origins, places.keyHead(row), dim);
        for (int i = 0; i < dim; i++) {
            target[to + i] = rows.floats[from + i] - origins.floats[origin + i];
        }
    }

    @Override
    void map(int row, CpuArray mapped) {
        float[] y = mapped.floats;
        int to = at(mapped, row, columns());
        move(row, y, to);
        y[to + square] = (float) (-0.5 * dot(y, to, y, to, dim));
        y[to + one] = 1;
        y[to + last] = 0;
    }

    @Override
    void mapTangent(int row, CpuArray tangents, CpuArray mapped) {
        float[] y = mapped.floats;
        int from = at(tangents, row, dim);
        int to = at(mapped, row, columns());
        move(row, y, to);
        y[to + square] = (float) -dot(y, to, tangents.floats, from, dim);
        System.arraycopy(tangents.floats, from, y, to, dim);
        y[to + one] = 0;
        y[to + last] = 1;
    }

    @Override
    void pullBack(int row, CpuArray gradients, CpuArray target) {
        float[] g = gradients.floats;
        float[] dx = target.floats;
        int from = at(gradients, row, columns());
        int to = at(target, row, dim);
        if (isZero(g, from, columns())) {
            Arrays.fill(dx, to, to + dim, 0);
            return;
        }
        move(row, dx, to);
        for (int i = 0; i < dim; i++) {
            dx[to + i] = (float) (g[from + i] - (double) g[from + square] * dx[to + i]);
        }
    }

    @Override
    void pullBackTangent(
            int row, CpuArray tangents, @Nullable CpuArray gradients, CpuArray gradientTangents, CpuArray target) {
        float[] g = gradientTangents.floats;
        float[] moved = tangents.floats;
        float[] dx = target.floats;
        int from = at(gradientTangents, row, columns());
        int tangent = at(tangents, row, dim);
        int to = at(target, row, dim);
        if (isZero(g, from, columns())) {
            Arrays.fill(dx, to, to + dim, 0);
            return;
        }
        move(row, dx, to);
        for (int i = 0; i < dim; i++) {
            double rest = (double) g[from + square] * dx[to + i] + (double) g[from + last] * moved[tangent + i];
            dx[to + i] = (float) (g[from + i] - rest);
        }
    }
}
