package org.fovea.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * Matrix products from register tiles of 6 rows by 2 vectors: 12 accumulators, enough to hide the latency of a fused
 * multiply-add, and with 2 vectors of B and one element of A they fit the 16 registers of AVX2.
 *
 * <p>Every element is one chain of fused multiply-adds in order of k, so its bits do not depend on the tile it falls in.
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

    private static final float[] ZEROS = new float[TILE_COLUMNS];
    private static final ThreadLocal<VectorGemm> SCRATCH = ThreadLocal.withInitial(VectorGemm::new);

    private final float[] panel = new float[DEPTH * TILE_COLUMNS];
    private final float[] tile = new float[TILE_ROWS * TILE_COLUMNS];

    private VectorGemm() {}

    /** What the sums start from, row by row: zero, a bias or C. */
    record Start(float[] values, int offset, int rowStep, int columnStep) {
        static final Start ZERO = new Start(ZEROS, 0, 0, 0);

        /** The start of a tile of whole vectors at a row and column. */
        int at(int row, int column) {
            return offset + row * rowStep + column * columnStep;
        }
    }

    /**
     * {@code C = start + alpha op(A) op(B)}. Element (i, p) of op(A) is {@code a[ao + i rowStep + p stepK]}; B is stored [k, n],
     * or [n, k] if transposed.
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
            Start start,
            float[] c,
            int co,
            int ldc) {
        VectorGemm scratch = SCRATCH.get();
        Start from = start;
        int first = 0;
        do {
            int depth = Math.min(DEPTH, k - first);
            int a1 = ao + first * stepK;
            int b1 = bo + (transposeB ? first : first * ldb);
            for (int column = 0; column < n; column += TILE_COLUMNS) {
                scratch.strip(
                        m, n, depth, a, a1, rowStep, stepK, b, b1, ldb, transposeB, alpha, from, column, c, co, ldc);
            }
            from = new Start(c, co, ldc, 1);
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
            Start start,
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
            for (; i <= m - TILE_ROWS; i += TILE_ROWS) {
                int s0 = start.at(i, column);
                int c0 = co + i * ldc + column;
                int a0 = ao + i * rowStep;
                if (vectors == 2) {
                    tile6x2(k, a, a0, rowStep, stepK, rows, r0, ldr, start.values, s0, start.rowStep, c, c0, ldc);
                } else {
                    tile6x1(k, a, a0, rowStep, stepK, rows, r0, ldr, start.values, s0, start.rowStep, c, c0, ldc);
                }
            }
            if (m < TILE_ROWS) {
                for (; i < m; i++) {
                    int s0 = start.at(i, column);
                    int c0 = co + i * ldc + column;
                    int a0 = ao + i * rowStep;
                    if (vectors == 2) {
                        tile1x2(k, a, a0, stepK, rows, r0, ldr, start.values, s0, c, c0);
                    } else {
                        tile1x1(k, a, a0, stepK, rows, r0, ldr, start.values, s0, c, c0);
                    }
                }
                return;
            }
        }
        // Edges go through a tile of their own: the last rows in a tile that reaches back over finished ones, and
        // columns
        // short of a vector beside padding.
        while (i < m) {
            int height = Math.min(TILE_ROWS, m - i);
            int top = Math.max(0, Math.min(i, m - TILE_ROWS));
            int tileRows = Math.min(TILE_ROWS, m);
            for (int r = i - top; r < i - top + height; r++) {
                for (int j = 0; j < width; j++) {
                    tile[r * ldr0(vectors) + j] = start.values[start.at(top + r, column) + j * start.columnStep];
                }
            }
            int a0 = ao + top * rowStep;
            int ldt = ldr0(vectors);
            if (tileRows < TILE_ROWS) {
                for (int r = 0; r < tileRows; r++) {
                    int t0 = r * ldt;
                    if (vectors == 2) {
                        tile1x2(k, a, a0 + r * rowStep, stepK, rows, r0, ldr, tile, t0, tile, t0);
                    } else {
                        tile1x1(k, a, a0 + r * rowStep, stepK, rows, r0, ldr, tile, t0, tile, t0);
                    }
                }
            } else if (vectors == 2) {
                tile6x2(k, a, a0, rowStep, stepK, rows, r0, ldr, tile, 0, ldt, tile, 0, ldt);
            } else {
                tile6x1(k, a, a0, rowStep, stepK, rows, r0, ldr, tile, 0, ldt, tile, 0, ldt);
            }
            for (int r = i - top; r < i - top + height; r++) {
                System.arraycopy(tile, r * ldt, c, co + (top + r) * ldc + column, width);
            }
            i += height;
        }
    }

    private static int ldr0(int vectors) {
        return vectors * LANES;
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

    private static void tile6x2(
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
        FloatVector c00 = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector c01 = FloatVector.fromArray(SPECIES, s, s0 + LANES);
        FloatVector c10 = FloatVector.fromArray(SPECIES, s, s0 + lds);
        FloatVector c11 = FloatVector.fromArray(SPECIES, s, s0 + lds + LANES);
        FloatVector c20 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds);
        FloatVector c21 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds + LANES);
        FloatVector c30 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds);
        FloatVector c31 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds + LANES);
        FloatVector c40 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds);
        FloatVector c41 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds + LANES);
        FloatVector c50 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds);
        FloatVector c51 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds + LANES);
        int a1 = a0 + rowStep;
        int a2 = a1 + rowStep;
        int a3 = a2 + rowStep;
        int a4 = a3 + rowStep;
        int a5 = a4 + rowStep;
        int ap = 0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector bl = FloatVector.fromArray(SPECIES, b, bp);
            FloatVector br = FloatVector.fromArray(SPECIES, b, bp + LANES);
            FloatVector x0 = FloatVector.broadcast(SPECIES, a[a0 + ap]);
            c00 = x0.fma(bl, c00);
            c01 = x0.fma(br, c01);
            FloatVector x1 = FloatVector.broadcast(SPECIES, a[a1 + ap]);
            c10 = x1.fma(bl, c10);
            c11 = x1.fma(br, c11);
            FloatVector x2 = FloatVector.broadcast(SPECIES, a[a2 + ap]);
            c20 = x2.fma(bl, c20);
            c21 = x2.fma(br, c21);
            FloatVector x3 = FloatVector.broadcast(SPECIES, a[a3 + ap]);
            c30 = x3.fma(bl, c30);
            c31 = x3.fma(br, c31);
            FloatVector x4 = FloatVector.broadcast(SPECIES, a[a4 + ap]);
            c40 = x4.fma(bl, c40);
            c41 = x4.fma(br, c41);
            FloatVector x5 = FloatVector.broadcast(SPECIES, a[a5 + ap]);
            c50 = x5.fma(bl, c50);
            c51 = x5.fma(br, c51);
            ap += stepK;
            bp += ldb;
        }
        c00.intoArray(c, c0);
        c01.intoArray(c, c0 + LANES);
        c10.intoArray(c, c0 + ldc);
        c11.intoArray(c, c0 + ldc + LANES);
        c20.intoArray(c, c0 + 2 * ldc);
        c21.intoArray(c, c0 + 2 * ldc + LANES);
        c30.intoArray(c, c0 + 3 * ldc);
        c31.intoArray(c, c0 + 3 * ldc + LANES);
        c40.intoArray(c, c0 + 4 * ldc);
        c41.intoArray(c, c0 + 4 * ldc + LANES);
        c50.intoArray(c, c0 + 5 * ldc);
        c51.intoArray(c, c0 + 5 * ldc + LANES);
    }

    private static void tile6x1(
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
        FloatVector c00 = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector c10 = FloatVector.fromArray(SPECIES, s, s0 + lds);
        FloatVector c20 = FloatVector.fromArray(SPECIES, s, s0 + 2 * lds);
        FloatVector c30 = FloatVector.fromArray(SPECIES, s, s0 + 3 * lds);
        FloatVector c40 = FloatVector.fromArray(SPECIES, s, s0 + 4 * lds);
        FloatVector c50 = FloatVector.fromArray(SPECIES, s, s0 + 5 * lds);
        int a1 = a0 + rowStep;
        int a2 = a1 + rowStep;
        int a3 = a2 + rowStep;
        int a4 = a3 + rowStep;
        int a5 = a4 + rowStep;
        int ap = 0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector row = FloatVector.fromArray(SPECIES, b, bp);
            c00 = FloatVector.broadcast(SPECIES, a[a0 + ap]).fma(row, c00);
            c10 = FloatVector.broadcast(SPECIES, a[a1 + ap]).fma(row, c10);
            c20 = FloatVector.broadcast(SPECIES, a[a2 + ap]).fma(row, c20);
            c30 = FloatVector.broadcast(SPECIES, a[a3 + ap]).fma(row, c30);
            c40 = FloatVector.broadcast(SPECIES, a[a4 + ap]).fma(row, c40);
            c50 = FloatVector.broadcast(SPECIES, a[a5 + ap]).fma(row, c50);
            ap += stepK;
            bp += ldb;
        }
        c00.intoArray(c, c0);
        c10.intoArray(c, c0 + ldc);
        c20.intoArray(c, c0 + 2 * ldc);
        c30.intoArray(c, c0 + 3 * ldc);
        c40.intoArray(c, c0 + 4 * ldc);
        c50.intoArray(c, c0 + 5 * ldc);
    }

    private static void tile1x2(
            int k, float[] a, int a0, int stepK, float[] b, int b0, int ldb, float[] s, int s0, float[] c, int c0) {
        FloatVector left = FloatVector.fromArray(SPECIES, s, s0);
        FloatVector right = FloatVector.fromArray(SPECIES, s, s0 + LANES);
        int ap = a0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            FloatVector x = FloatVector.broadcast(SPECIES, a[ap]);
            left = x.fma(FloatVector.fromArray(SPECIES, b, bp), left);
            right = x.fma(FloatVector.fromArray(SPECIES, b, bp + LANES), right);
            ap += stepK;
            bp += ldb;
        }
        left.intoArray(c, c0);
        right.intoArray(c, c0 + LANES);
    }

    private static void tile1x1(
            int k, float[] a, int a0, int stepK, float[] b, int b0, int ldb, float[] s, int s0, float[] c, int c0) {
        FloatVector sum = FloatVector.fromArray(SPECIES, s, s0);
        int ap = a0;
        int bp = b0;
        for (int p = 0; p < k; p++) {
            sum = FloatVector.broadcast(SPECIES, a[ap]).fma(FloatVector.fromArray(SPECIES, b, bp), sum);
            ap += stepK;
            bp += ldb;
        }
        sum.intoArray(c, c0);
    }
}
