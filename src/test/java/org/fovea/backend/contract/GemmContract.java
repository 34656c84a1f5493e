package org.fovea.backend.contract;

import java.util.Random;
import org.fovea.backend.math.Gemm;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Matrix products. */
interface GemmContract extends ContractFixture {

    @Test
    default void productsOfAwkwardSizes() {
        int[][] sizes = {
            {1, 1, 1},
            {1, 17, 33},
            {17, 1, 5},
            {2, 3, 97},
            {13, 31, 6},
            {33, 33, 33},
            {97, 64, 31},
            {64, 128, 64},
            {207, 97, 13},
            {6, 16, 207},
            {5, 7, 1}
        };
        for (int[] s : sizes) {
            for (int transposes = 0; transposes < 4; transposes++) {
                check(Gemm.dense((transposes & 1) != 0, (transposes & 2) != 0, s[0], s[1], s[2]));
            }
        }
    }

    @Test
    default void paddedStridedAndScaledProducts() {
        Random random = new Random(11);
        float[][] scalars = {{1, 0}, {1, 1}, {-0.5f, 0.25f}, {0, 1}, {2, 0}};
        for (int trial = 0; trial < 40; trial++) {
            boolean transposeA = random.nextBoolean();
            boolean transposeB = random.nextBoolean();
            int m = 1 + random.nextInt(40);
            int n = 1 + random.nextInt(40);
            int k = 1 + random.nextInt(40);
            int lda = (transposeA ? m : k) + random.nextInt(4);
            int ldb = (transposeB ? k : n) + random.nextInt(4);
            int ldc = n + random.nextInt(4);
            int batch = 1 + random.nextInt(4);
            long strideA = trial % 5 == 0 ? 0 : (long) lda * (transposeA ? k : m) + random.nextInt(3);
            long strideB = trial % 7 == 0 ? 0 : (long) ldb * (transposeB ? n : k) + random.nextInt(3);
            long strideC = (long) ldc * m + random.nextInt(3);
            float[] scalar = scalars[trial % scalars.length];
            check(new Gemm(
                    transposeA,
                    transposeB,
                    m,
                    n,
                    k,
                    lda,
                    ldb,
                    ldc,
                    batch,
                    strideA,
                    strideB,
                    strideC,
                    scalar[0],
                    scalar[1]));
        }
    }

    @Test
    default void headsAreInterleavedAsInAttention() {
        // Scores of 3 heads of width 5 inside rows of 15: strides shorter than a matrix.
        check(new Gemm(false, true, 7, 6, 5, 15, 15, 6, 3, 5, 5, 42, 0.5f, 0));
        check(new Gemm(false, false, 7, 5, 6, 6, 15, 15, 3, 42, 5, 5, 1, 0));
    }

    @Test
    default void emptyProductsAreZeroOrNothing() {
        check(Gemm.dense(false, false, 3, 5, 0));
        check(Gemm.dense(false, false, 3, 5, 0).withScalars(1, 0.5f));
        check(Gemm.dense(false, false, 0, 5, 3));
        check(Gemm.dense(false, true, 3, 0, 2));
        check(Gemm.batched(false, false, 2, 2, 2, 0));
    }

    @Test
    default void longSums() {
        check(Gemm.dense(true, false, 5, 7, 4099));
        check(Gemm.dense(false, true, 33, 2, 2100).withScalars(0.5f, -2));
        check(Gemm.batched(false, false, 17, 6, 1030, 2));
    }

    @Test
    default void sumsOfOneSignDoNotDrift() {
        Gemm g = Gemm.dense(false, true, 3, 5, 6007);
        check(g, Pair.abs(Pair.normal(3 * 6007, 1)), Pair.abs(Pair.normal(5 * 6007, 2)));
    }

    @Test
    default void infinitiesAndTheLargestNumbersAreAsInPlainSums() {
        double infinity = Double.POSITIVE_INFINITY;
        double[] a = {
            infinity,
            1,
            2,
            3, //
            -infinity,
            1,
            2,
            3,
            infinity,
            -infinity,
            0,
            0,
            Double.NaN,
            0,
            0,
            0,
            Float.MAX_VALUE,
            0,
            0,
            0,
            0,
            0,
            0,
            0
        };
        double[] b = {1, 2, -1, 1.1f, 3, 1, 0.3f, 1, 2, 1, 1, 1};
        check(Gemm.dense(false, false, 6, 3, 4), a, b);
        check(Gemm.dense(false, false, 6, 3, 4), a, new double[] {0, infinity, Double.NaN, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    }

    private void check(Gemm g) {
        int lengthA = extent(g, g.transposeA() ? g.k() : g.m(), g.transposeA() ? g.m() : g.k(), g.lda(), g.strideA());
        int lengthB = extent(g, g.transposeB() ? g.n() : g.k(), g.transposeB() ? g.k() : g.n(), g.ldb(), g.strideB());
        check(g, Pair.normal(lengthA, 1), Pair.normal(lengthB, 2));
    }

    private void check(Gemm g, double[] valuesA, double[] valuesB) {
        try (Pair p = pair()) {
            int lengthC = extent(g, g.m(), g.n(), g.ldc(), g.strideC());
            double[] valuesC = Pair.normal(lengthC, 3);
            Pair.Both a = p.floats(valuesA);
            Pair.Both b = p.floats(valuesB);
            // With beta 0 the product must not look at what C held, which is NaN here.
            Pair.Both c = g.beta() == 0 ? p.output(lengthC) : p.floats(valuesC);
            p.run(d -> d.math().gemm(g, a.on(d), b.on(d), c.on(d)));
            c.isWithin(bounds(p, g, valuesA, valuesB, valuesC), g.toString());
        }
    }

    private static int extent(Gemm g, int rows, int columns, int ld, long stride) {
        if (rows == 0 || columns == 0 || g.batch() == 0) {
            return 0;
        }
        return (int) ((g.batch() - 1) * stride + (long) (rows - 1) * ld + columns);
    }

    /** {@code 4 (sqrt(k) + 2) (|alpha| |A| |B| + |beta| |C|)}, the magnitudes by the reference. */
    private static double[] bounds(Pair p, Gemm g, double[] a, double[] b, double[] c) {
        Pair.Both magnitudes = p.floats(Pair.abs(c));
        p.reference
                .math()
                .gemm(
                        g.withScalars(Math.abs(g.alpha()), Math.abs(g.beta())),
                        p.floats(Pair.abs(a)).on(p.reference),
                        p.floats(Pair.abs(b)).on(p.reference),
                        magnitudes.on(p.reference));
        double[] bounds = magnitudes.expected();
        for (int i = 0; i < bounds.length; i++) {
            bounds[i] *= 4 * (Math.sqrt(g.k()) + 2);
        }
        return bounds;
    }
}
