// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.attention.fused;

import java.util.function.IntConsumer;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.primitives.Workers;
import org.jspecify.annotations.Nullable;

/**
 * Queries or keys on their way to rows whose dot products are similarities, and gradients on their way back. Arrays hold one
 * float32 row after the other; sums are made in float64, which has the range for squares.
 *
 * <p>What no query sees may hold anything, and its gradient is 0: so where a row's gradient is 0, what comes of it is 0 too,
 * whatever the row holds.
 */
abstract class SimilarityRows {
    /** Numbers that a thread maps in the time that waking it takes, several times over. */
    private static final int PIECE = 1 << 13;

    /** The rows as they were given. */
    final CpuArray rows;

    final int dim;
    final int count;
    final FloatArrays floats;
    final Workers workers;

    SimilarityRows(CpuArray rows, int dim, FloatArrays floats, Workers workers) {
        this.rows = rows;
        this.dim = dim;
        count = rows.length / dim;
        this.floats = floats;
        this.workers = workers;
    }

    /** Length of a mapped row. */
    abstract int columns();

    /** Whether the tangent of a row's gradient takes the mapped row's gradient beside the tangent of that. */
    abstract boolean needsGradients();

    abstract void map(int row, CpuArray mapped);

    abstract void mapTangent(int row, CpuArray tangents, CpuArray mapped);

    /** Takes the gradient of a mapped row to that of the row. */
    abstract void pullBack(int row, CpuArray gradients, CpuArray target);

    /** Takes the tangent of a mapped row's gradient to that of the row's. */
    abstract void pullBackTangent(
            int row, CpuArray tangents, @Nullable CpuArray gradients, CpuArray gradientTangents, CpuArray target);

    /** Room for mapped rows, their tangents or gradients. */
    final CpuArray allocate() {
        return floats.allocate((long) count * columns());
    }

    final CpuArray map() {
        CpuArray mapped = allocate();
        map(mapped);
        return mapped;
    }

    final void map(CpuArray mapped) {
        forEachRow(row -> map(row, mapped));
    }

    final CpuArray mapTangents(CpuArray tangents) {
        CpuArray mapped = allocate();
        forEachRow(row -> mapTangent(row, tangents, mapped));
        return mapped;
    }

    final void pullBack(CpuArray gradients, CpuArray target) {
        forEachRow(row -> pullBack(row, gradients, target));
    }

    final void pullBackTangents(
            CpuArray tangents, @Nullable CpuArray gradients, CpuArray gradientTangents, CpuArray target) {
        forEachRow(row -> pullBackTangent(row, tangents, gradients, gradientTangents, target));
    }

    private void forEachRow(IntConsumer body) {
        int each = Math.max(1, PIECE / dim);
        workers.run((count + each - 1) / each, piece -> {
            int end = Math.min(count, (piece + 1) * each);
            for (int row = piece * each; row < end; row++) {
                body.accept(row);
            }
        });
    }

    /** Where a row of the given length starts. */
    static int at(CpuArray array, int row, int columns) {
        return array.offset + row * columns;
    }

    static double dot(float[] x, int xAt, float[] y, int yAt, int length) {
        // Four sums, so that no addition waits for the one before it.
        double a = 0;
        double b = 0;
        double c = 0;
        double d = 0;
        int i = 0;
        for (; i < length - 3; i += 4) {
            a += (double) x[xAt + i] * y[yAt + i];
            b += (double) x[xAt + i + 1] * y[yAt + i + 1];
            c += (double) x[xAt + i + 2] * y[yAt + i + 2];
            d += (double) x[xAt + i + 3] * y[yAt + i + 3];
        }
        for (; i < length; i++) {
            a += (double) x[xAt + i] * y[yAt + i];
        }
        return a + b + (c + d);
    }

    static boolean isZero(float[] x, int at, int length) {
        for (int i = at; i < at + length; i++) {
            if (x[i] != 0) {
                return false;
            }
        }
        return true;
    }
}
