package org.fovea.cli.selftest;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.Activation;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Gemm;

/** Matrix products and what is fused with them. */
final class MatrixChecks {
    private static final int[][] SIZES = {{1, 1, 1}, {5, 3, 7}, {33, 17, 65}, {130, 67, 129}};
    private static final int[][] DEEP_SIZES = {{1, 1, 1}, {2, 207, 3}, {33, 17, 65}, {130, 67, 129}, {257, 1031, 31}};

    /** As many multiplications as make a product one for cuBLAS, where it is installed. */
    private static final int[] LARGE = {517, 509, 513};

    private static final int[] DEEP_LARGE = {1031, 2051, 1027};

    private MatrixChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("matrix products", MatrixChecks::products),
                new Check("a large matrix product", MatrixChecks::large),
                new Check("linear layers", MatrixChecks::linear));
    }

    /** The product, and the magnitude of what it sums up, of op(A) [m, k] and op(B) [k, n]. */
    private static double[][] multiply(Gemm g, double[] a, double[] b, double[] c) {
        double[] product = new double[c.length];
        double[] magnitudes = new double[c.length];
        for (int batch = 0; batch < g.batch(); batch++) {
            for (int i = 0; i < g.m(); i++) {
                int row = (int) (batch * g.strideC()) + i * g.ldc();
                for (int k = 0; k < g.k(); k++) {
                    double left = a[(int) (batch * g.strideA()) + (g.transposeA() ? k * g.lda() + i : i * g.lda() + k)];
                    int fromB = (int) (batch * g.strideB());
                    for (int j = 0; j < g.n(); j++) {
                        double term = left * b[fromB + (g.transposeB() ? j * g.ldb() + k : k * g.ldb() + j)];
                        product[row + j] += term;
                        magnitudes[row + j] += Math.abs(term);
                    }
                }
                for (int j = row; j < row + g.n(); j++) {
                    product[j] = g.alpha() * product[j] + g.beta() * c[j];
                    magnitudes[j] = Math.abs(g.alpha()) * magnitudes[j] + Math.abs(g.beta() * c[j]);
                }
            }
        }
        return new double[][] {product, magnitudes};
    }

    private static void check(Trial t, Gemm g) {
        double[] a = t.normal(g.m() * g.k() * g.batch());
        double[] b = t.normal(g.k() * g.n() * g.batch());
        double[] c = t.normal(g.m() * g.n() * g.batch());
        double[][] expected = multiply(g, a, b, c);
        DeviceArray y = t.floats(c);
        t.backend().gemm(g, t.floats(a), t.floats(b), y);
        String name = g.batch() + " x " + g.m() + " x " + g.k() + " x " + g.n()
                + (g.transposeA() ? ", A transposed" : "") + (g.transposeB() ? ", B transposed" : "");
        // A product in float32 made of three on tensor cores is off by up to four roundings by itself.
        t.near(name, y, expected[0], expected[1], t.ofProducts(g.k() + 8, 2));
        t.discard();
    }

    private static void products(Trial t) {
        for (int[] s : t.choose(SIZES, DEEP_SIZES)) {
            for (int transposed = 0; transposed < 4; transposed++) {
                Gemm g = Gemm.batched((transposed & 1) != 0, (transposed & 2) != 0, s[0], s[2], s[1], 1 + transposed);
                check(t, g);
                check(t, g.withScalars(-0.75f, 0.5f));
            }
        }
    }

    private static void large(Trial t) {
        int[] s = t.choose(LARGE, DEEP_LARGE);
        check(t, Gemm.dense(false, false, s[0], s[2], s[1]));
    }

    private static void linear(Trial t) {
        for (int[] s : t.choose(SIZES, DEEP_SIZES)) {
            Gemm g = Gemm.dense(false, false, s[0], s[2], s[1]);
            double[] x = t.normal(s[0] * s[1]);
            double[] weight = t.normal(s[1] * s[2]);
            double[] bias = t.normal(s[2]);
            double[][] product = multiply(g, x, weight, new double[s[0] * s[2]]);
            for (Activation activation : Activation.values()) {
                double[] expected = new double[s[0] * s[2]];
                double[] magnitudes = new double[expected.length];
                Arrays.setAll(expected, i -> PrimitiveChecks.apply(activation, product[0][i] + bias[i % s[2]]));
                // No activation is steeper than 1.
                Arrays.setAll(magnitudes, i -> 1 + product[1][i] + Math.abs(bias[i % s[2]]));
                DeviceArray y = t.output(expected.length);
                t.backend().linear(s[0], s[1], s[2], t.floats(x), t.floats(weight), t.floats(bias), activation, y);
                t.near(activation + " of " + Arrays.toString(s), y, expected, magnitudes, t.ofProducts(s[1] + 12, 2));
            }
        }
    }
}
