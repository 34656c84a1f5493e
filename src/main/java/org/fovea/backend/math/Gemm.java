// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

/**
 * Shape of a batch of row-major matrix products {@code C = alpha op(A) op(B) + beta C} with op(A) [m, k], op(B) [k, n],
 * C [m, n]. With {@code beta} 0, C is not read and may hold anything.
 *
 * @param transposeA A is stored [k, m]
 * @param transposeB B is stored [n, k]
 * @param lda elements from one stored row of A to the next; ldb, ldc likewise
 * @param batch number of products
 * @param strideA elements from one product's A to the next, 0 to share one; strideB, strideC likewise
 */
public record Gemm(
        boolean transposeA,
        boolean transposeB,
        int m,
        int n,
        int k,
        int lda,
        int ldb,
        int ldc,
        int batch,
        long strideA,
        long strideB,
        long strideC,
        float alpha,
        float beta) {

    /** One dense product of contiguous matrices with alpha 1 and beta 0. */
    public static Gemm dense(boolean transposeA, boolean transposeB, int m, int n, int k) {
        return batched(transposeA, transposeB, m, n, k, 1);
    }

    /** {@code batch} dense products of contiguous matrices that follow each other, with alpha 1 and beta 0. */
    public static Gemm batched(boolean transposeA, boolean transposeB, int m, int n, int k, int batch) {
        return new Gemm(
                transposeA,
                transposeB,
                m,
                n,
                k,
                transposeA ? m : k,
                transposeB ? k : n,
                n,
                batch,
                (long) m * k,
                (long) k * n,
                (long) m * n,
                1f,
                0f);
    }

    /** The same product, scaled. */
    public Gemm withScalars(float newAlpha, float newBeta) {
        return new Gemm(
                transposeA, transposeB, m, n, k, lda, ldb, ldc, batch, strideA, strideB, strideC, newAlpha, newBeta);
    }
}
