// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.Arrays;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * Rows brought to length 1: {@code y = x / |x|}, 0 where x is. With g the gradient for y, and dots for tangents,
 *
 * <pre>
 * y. = (x. - x (x . x.) / |x|^2) / |x|             dx = (g - x (x . g) / |x|^2) / |x|
 * dx. = (g. - c g - s x. + (3 c s - e) x) / |x|    c = x . x. / |x|^2   s = x . g / |x|^2   e = (x. . g + x . g.) / |x|^2
 * </pre>
 */
final class CosineRows extends SimilarityRows {

    CosineRows(CpuArray rows, int dim, FloatArrays floats, Workers workers) {
        super(rows, dim, floats, workers);
    }

    @Override
    int columns() {
        return dim;
    }

    @Override
    boolean needsGradients() {
        return true;
    }

    @Override
    void map(int row, CpuArray mapped) {
        float[] x = rows.floats;
        int from = at(rows, row, dim);
        int to = at(mapped, row, dim);
        double square = dot(x, from, x, from, dim);
        double inverse = square == 0 ? 0 : 1 / Math.sqrt(square);
        for (int i = 0; i < dim; i++) {
            mapped.floats[to + i] = (float) (x[from + i] * inverse);
        }
    }

    @Override
    void mapTangent(int row, CpuArray tangents, CpuArray mapped) {
        project(row, tangents, mapped);
    }

    @Override
    void pullBack(int row, CpuArray gradients, CpuArray target) {
        project(row, gradients, target);
    }

    /** The part of a vector that is orthogonal to the row, over the row's length. */
    private void project(int row, CpuArray vectors, CpuArray target) {
        float[] x = rows.floats;
        float[] v = vectors.floats;
        int xAt = at(rows, row, dim);
        int vAt = at(vectors, row, dim);
        int to = at(target, row, dim);
        double square = dot(x, xAt, x, xAt, dim);
        if (square == 0 || isZero(v, vAt, dim)) {
            Arrays.fill(target.floats, to, to + dim, 0);
            return;
        }
        double inverse = 1 / Math.sqrt(square);
        double along = dot(x, xAt, v, vAt, dim) / square;
        for (int i = 0; i < dim; i++) {
            target.floats[to + i] = (float) ((v[vAt + i] - x[xAt + i] * along) * inverse);
        }
    }

    @Override
    void pullBackTangent(
            int row, CpuArray tangents, @Nullable CpuArray gradients, CpuArray gradientTangents, CpuArray target) {
        if (gradients == null) {
            throw new IllegalArgumentException("the tangent of a cosine's gradient takes the gradient");
        }
        float[] x = rows.floats;
        float[] dx = tangents.floats;
        float[] g = gradients.floats;
        float[] dg = gradientTangents.floats;
        int xAt = at(rows, row, dim);
        int dxAt = at(tangents, row, dim);
        int gAt = at(gradients, row, dim);
        int dgAt = at(gradientTangents, row, dim);
        int to = at(target, row, dim);
        double square = dot(x, xAt, x, xAt, dim);
        if (square == 0 || isZero(g, gAt, dim) && isZero(dg, dgAt, dim)) {
            Arrays.fill(target.floats, to, to + dim, 0);
            return;
        }
        double inverse = 1 / Math.sqrt(square);
        double c = dot(x, xAt, dx, dxAt, dim) / square;
        double s = dot(x, xAt, g, gAt, dim) / square;
        double e = (dot(dx, dxAt, g, gAt, dim) + dot(x, xAt, dg, dgAt, dim)) / square;
        double along = 3 * c * s - e;
        for (int i = 0; i < dim; i++) {
            double sum = dg[dgAt + i] - c * g[gAt + i] - s * dx[dxAt + i] + along * x[xAt + i];
            target.floats[to + i] = (float) (sum * inverse);
        }
    }
}
