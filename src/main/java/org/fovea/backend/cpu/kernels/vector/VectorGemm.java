// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;
import org.jspecify.annotations.Nullable;

/**
 * Matrix products from register tiles of 6 rows by 2 vectors: 12 accumulators, enough to hide the latency of a fused
 * multiply-add, and with 2 vectors of B and one element of A they fit the 16 registers of AVX2.
 *
 * <p>Every element is one chain of fused multiply-adds in order of k, or, with few columns, one inner product: its bits do
 * not depend on the tile it falls in.
 */
final class VectorGemm {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int LANES = SPECIES.length();
    private static final int TILE_ROWS = 6;
    private static final int TILE_COLUMNS = 2 * LANES;

    /** Steps of k between visits to C: a panel of B this deep stays in the first-level cache. */
    private static final int DEPTH = 256;

    /** Rows of B further apart than this compete for cache sets, and are copied next to each other. */
    private static final int NEAR = 64;

    /** Fewer rows of A than this do not repay a copy of B. */
    private static final int ROWS_TO_PACK = 24;

    /** Up to so many columns, vectors along another axis than the columns waste less. */
    private static final int THIN = 4;

    /** Rows of a thin product that are worked on together. */
    private static final int THIN_ROWS = 32;

    private static final float[] ZEROS = new float[TILE_COLUMNS];
    private static final ThreadLocal<VectorGemm> SCRATCH = ThreadLocal.withInitial(VectorGemm::new);

    private final float[] panel = new float[DEPTH * TILE_COLUMNS];
    private final float[] tile = new float[TILE_ROWS * TILE_COLUMNS];
    private final float[] lanes = new float[THIN_ROWS * LANES];
    private final float[] sums = new float[THIN_ROWS];
    private float[] thin = {};

    private VectorGemm() {}

    /** What the sums of a product start from: zero, a bias or C. Element (i, j) is {@code start[startAt(i, j)]}. */
    private float[] start = ZEROS;

    private int startOffset;
    private int startRow;
    private int startColumn;

    private void startFrom(float[] values, int offset, int rowStep, int columnStep) {
        start = values;
        startOffset = offset;
        startRow = rowStep;
        startColumn = columnStep;
    }

    private int startAt(int row, int column) {
        return startOffset + row * startRow + column * startColumn;
    }

    /**
     * {@code C = start + alpha op(A) op(B)}. Element (i, p) of op(A) is {@code a[ao + i rowStep + p stepK]}; B is stored [k, n],
     * or [n, k] if transposed. The start is 0 where {@code starts} is null, else element (i, j) is {@code starts[so + i startRow + j]}.
     */
    static void multiply(
            int m,
            int n,
            int k,
            float[] a,
            int ao,
            int rowStep,
            int stepK,
            float[] b,
            int bo,
            int ldb,
            boolean transposeB,
            float alpha,
            float @Nullable [] starts,
            int so,
            int startRow,
            float[] c,
            int co,
            int ldc) {
        VectorGemm scratch = SCRATCH.get();
        if (starts == null) {
            scratch.startFrom(ZEROS, 0, 0, 0);
        } else {
            scratch.startFrom(starts, so, startRow, 1);
        }
        if (n <= THIN && k >= LANES && stepK == 1) {
            scratch.innerProducts(m, n, k, a, ao, rowStep, b, bo, ldb, transposeB, alpha, c, co, ldc);
        } else if (n <= THIN && m >= LANES && rowStep == 1 && !transposeB) {
            scratch.transposed(m, n, k, a, ao, stepK, b, bo, ldb, alpha, c, co, ldc);
        } else {
            scratch.tiles(m, n, k, a, ao, rowStep, stepK, b, bo, ldb, transposeB, alpha, c, co, ldc);
        }
        // So that the scratch of a thread keeps no array of others.
        scratch.start = ZEROS;
    }

    /** Thin products with vectors along k. */
    private void innerProducts(
            int m,
            int n,
            int k,
            float[] a,
            int ao,
            int rowStep,
            float[] b,
            int bo,
            int ldb,
            boolean transposeB,
            float alpha,
            float[] c,
            int co,
            int ldc) {
        float[] columns = thin(n * k);
        for (int j = 0; j < n; j++) {
            for (int p = 0; p < k; p++) {
                columns[j * k + p] = alpha * b[bo + (transposeB ? j * ldb + p : p * ldb + j)];
            }
        }
        for (int first = 0; first < m; first += THIN_ROWS) {
            int rows = Math.min(THIN_ROWS, m - first);
            for (int j = 0; j < n; j++) {
                VectorRows.dots(rows, k, a, ao + first * rowStep, rowStep, columns, j * k, lanes, sums);
                for (int i = 0; i < rows; i++) {
                    c[co + (first + i) * ldc + j] = start[startAt(first + i, j)] + sums[i];
                }
            }
        }
    }

    /** Thin products with vectors along m: the transposed product, from the operands as they lie. */
    private void transposed(
            int m,
            int n,
            int k,
            float[] a,
            int ao,
            int lda,
            float[] b,
            int bo,
            int ldb,
            float alpha,
            float[] c,
            int co,
            int ldc) {
        float[] rows = thin(n * m);
        float[] from = start;
        int fromOffset = startOffset;
        int fromRow = startRow;
        int fromColumn = startColumn;
        startFrom(ZEROS, 0, 0, 0);
        tiles(n, m, k, b, bo, 1, ldb, a, ao, lda, false, alpha, rows, 0, m);
        startFrom(from, fromOffset, fromRow, fromColumn);
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                c[co + i * ldc + j] = start[startAt(i, j)] + rows[j * m + i];
            }
        }
    }

    private float[] thin(int size) {
        if (thin.length < size) {
            thin = new float[size];
        }
        return thin;
    }

    private void tiles(
            int m,
            int n,
            int k,
            float[] a,
            int ao,
            int rowStep,
            int stepK,
            float[] b,
            int bo,
            int ldb,
            boolean transposeB,
            float alpha,
            float[] c,
            int co,
            int ldc) {
        int first = 0;
        do {
            int depth = Math.min(DEPTH, k - first);
            int a1 = ao + first * stepK;
            int b1 = bo + (transposeB ? first : first * ldb);
            for (int column = 0; column < n; column += TILE_COLUMNS) {
                strip(m, n, depth, a, a1, rowStep, stepK, b, b1, ldb, transposeB, alpha, column, c, co, ldc);
            }
            startFrom(c, co, ldc, 1);
            first += DEPTH;
        } while (first < k);
    }

    /** All rows of the strip of columns that starts at {@code column}. */
    private void strip(
            int m,
            int n,
            int k,
            float[] a,
            int ao,
            int rowStep,
            int stepK,
            float[] b,
            int bo,
            int ldb,
            boolean transposeB,
            float alpha,
            int column,
            float[] c,
            int co,
            int ldc) {
        int width = Math.min(TILE_COLUMNS, n - column);
        int vectors = width <= LANES ? 1 : 2;
        boolean whole = width == vectors * LANES;
        float[] rows = b;
        int r0 = bo + column;
        int ldr = ldb;
        if (transposeB || !whole || alpha != 1f || (ldb > NEAR && m >= ROWS_TO_PACK)) {
            rows = panel;
            r0 = 0;
            ldr = vectors * LANES;
            if (transposeB) {
                packTransposed(b, bo + column * ldb, ldb, k, width, ldr, alpha);
            } else {
                pack(b, bo + column, ldb, k, width, ldr, alpha);
            }
        }
        int i = 0;
        if (whole) {
            int last = m < TILE_ROWS ? m : m - m % TILE_ROWS;
            for (; i < last; i += TILE_ROWS) {
                int a0 = ao + i * rowStep;
                int s0 = startAt(i, column);
                int c0 = co + i * ldc + column;
                int height = Math.min(TILE_ROWS, m - i);
                int lds = startRow;
                tile(vectors, height, k, a, a0, rowStep, stepK, rows, r0, ldr, start, s0, lds, c, c0, ldc);
            }
        }
        // Edges go through a tile of their own: the last rows in one that reaches back over finished rows, and columns
        // short of a vector beside padding.
        int ldt = vectors * LANES;
        int tileRows = Math.min(TILE_ROWS, m);
        for (; i < m; i += TILE_ROWS) {
            int top = Math.min(i, m - tileRows);
            for (int r = i - top; r < tileRows; r++) {
                for (int j = 0; j < width; j++) {
                    tile[r * ldt + j] = start[startAt(top + r, column + j)];
                }
            }
            int a0 = ao + top * rowStep;
            tile(vectors, tileRows, k, a, a0, rowStep, stepK, rows, r0, ldr, tile, 0, ldt, tile, 0, ldt);
            for (int r = i - top; r < tileRows; r++) {
                System.arraycopy(tile, r * ldt, c, co + (top + r) * ldc + column, width);
            }
        }
    }

    /** One tile of a full height, or of fewer rows one by one. */
    private static void tile(
            int vectors,
            int height,
            int k,
            float[] a,
            int a0,
            int rowStep,
            int stepK,
            float[] b,
            int b0,
            int ldb,
            float[] s,
            int s0,
            int lds,
            float[] c,
            int c0,
            int ldc) {
        if (height == TILE_ROWS) {
            if (vectors == 2) {
                VectorTile.tile6x2(k, a, a0, rowStep, stepK, b, b0, ldb, s, s0, lds, c, c0, ldc);
            } else {
                VectorTile.tile6x1(k, a, a0, rowStep, stepK, b, b0, ldb, s, s0, lds, c, c0, ldc);
            }
            return;
        }
        for (int r = 0; r < height; r++) {
            if (vectors == 2) {
                VectorTile.tile1x2(k, a, a0 + r * rowStep, stepK, b, b0, ldb, s, s0 + r * lds, c, c0 + r * ldc);
            } else {
                VectorTile.tile1x1(k, a, a0 + r * rowStep, stepK, b, b0, ldb, s, s0 + r * lds, c, c0 + r * ldc);
            }
        }
    }

    private void pack(float[] b, int bo, int ldb, int k, int width, int ldr, float alpha) {
        if (width == ldr) {
            for (int p = 0; p < k; p++) {
                for (int j = 0; j < width; j += LANES) {
                    FloatVector.fromArray(SPECIES, b, bo + p * ldb + j)
                            .mul(alpha)
                            .intoArray(panel, p * ldr + j);
                }
            }
            return;
        }
        for (int p = 0; p < k; p++) {
            for (int j = 0; j < width; j++) {
                panel[p * ldr + j] = alpha * b[bo + p * ldb + j];
            }
            for (int j = width; j < ldr; j++) {
                panel[p * ldr + j] = 0f;
            }
        }
    }

    private void packTransposed(float[] b, int bo, int ldb, int k, int width, int ldr, float alpha) {
        for (int j = 0; j < width; j++) {
            int from = bo + j * ldb;
            for (int p = 0; p < k; p++) {
                panel[p * ldr + j] = alpha * b[from + p];
            }
        }
        for (int j = width; j < ldr; j++) {
            for (int p = 0; p < k; p++) {
                panel[p * ldr + j] = 0f;
            }
        }
    }
}
