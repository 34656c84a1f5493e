package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;

/** Matrix products and what is fused with them. */
final class MatrixCases {
    /** Rows of A, columns of A, columns of B. */
    private static final int[][] SIZES = {{1, 1, 1}, {5, 3, 7}, {33, 17, 65}, {130, 67, 129}};

    private static final int[][] DEEP_SIZES = {{1, 1, 1}, {2, 207, 3}, {33, 17, 65}, {130, 67, 129}, {257, 1031, 31}};

    /** As many multiplications as make a product one for cuBLAS, where it is installed. */
    private static final int[] LARGE = {517, 509, 513};

    private static final int[] DEEP_LARGE = {1031, 1051, 1027};

    private MatrixCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>();
        for (int[] s : deep ? DEEP_SIZES : SIZES) {
            for (int transposed = 0; transposed < 4; transposed++) {
                Gemm g = Gemm.batched((transposed & 1) != 0, (transposed & 2) != 0, s[0], s[2], s[1], 1 + transposed);
                cases.add(gemm(g));
                cases.add(gemm(g.withScalars(-0.75f, 0.5f)));
            }
            for (Activation activation : Activation.values()) {
                cases.add(new Case("linear", activation + " of " + Arrays.toString(s), p -> linear(p, s, activation)));
            }
        }
        int[] large = deep ? DEEP_LARGE : LARGE;
        cases.add(gemm(Gemm.dense(false, false, large[0], large[2], large[1])));
        return cases;
    }

    private static Case gemm(Gemm g) {
        String name = g.batch() + " x " + g.m() + " x " + g.k() + " x " + g.n()
                + (g.transposeA() ? ", A transposed" : "") + (g.transposeB() ? ", B transposed" : "")
                + (g.beta() == 0 ? "" : ", with scalars");
        return new Case("gemm", name, p -> gemm(p, g, "gemm of " + name));
    }

    private static void gemm(Pair p, Gemm g, String what) {
        double[] left = Pair.normal(g.m() * g.k() * g.batch(), 1);
        double[] right = Pair.normal(g.k() * g.n() * g.batch(), 2);
        Pair.Both a = p.floats(left);
        Pair.Both b = p.floats(right);
        Pair.Both c = p.floats(Pair.normal(g.m() * g.n() * g.batch(), 3));
        p.run(d -> d.math().gemm(g, a.on(d), b.on(d), c.on(d)));
        double[] rows = norms(g, left, true);
        double[] columns = norms(g, right, false);
        double[] bounds = new double[g.m() * g.n() * g.batch()];
        // Of float32 made of three products on tensor cores, up to four roundings are the product's own.
        double roundings = 4 * p.ofProducts(Math.sqrt(g.k()) + 8, 2);
        for (int batch = 0; batch < g.batch(); batch++) {
            for (int i = 0; i < g.m() * g.n(); i++) {
                int at = batch * g.m() * g.n() + i;
                double size = rows[batch * g.m() + i / g.n()] * columns[batch * g.n() + i % g.n()];
                bounds[at] = roundings * (Math.abs(g.alpha()) * size + 5 * Math.abs(g.beta()));
            }
        }
        c.isWithin(bounds, what);
    }

    /** The product of two of them is no less than the sum of magnitudes that an element is made of. */
    private static double[] norms(Gemm g, double[] x, boolean isLeft) {
        int rows = isLeft ? g.m() : g.n();
        boolean isContiguous = isLeft != g.transposeA();
        if (!isLeft) {
            isContiguous = g.transposeB();
        }
        double[] norms = new double[rows * g.batch()];
        for (int i = 0; i < norms.length; i++) {
            int batch = i / rows;
            int row = i % rows;
            double squares = 0;
            for (int k = 0; k < g.k(); k++) {
                double value = x[batch * rows * g.k() + (isContiguous ? row * g.k() + k : k * rows + row)];
                squares += value * value;
            }
            norms[i] = Math.sqrt(squares);
        }
        return norms;
    }

    private static void linear(Pair p, int[] s, Activation activation) {
        double[] left = Pair.normal(s[0] * s[1], 1);
        double[] weights = Pair.normal(s[1] * s[2], 2);
        Pair.Both x = p.floats(left);
        Pair.Both weight = p.floats(weights);
        Pair.Both bias = p.floats(Pair.normal(s[2], 3));
        Pair.Both y = p.output((long) s[0] * s[2]);
        p.run(b -> b.math().linear(s[0], s[1], s[2], x.on(b), weight.on(b), bias.on(b), activation, y.on(b)));
        Gemm g = Gemm.dense(false, false, s[0], s[2], s[1]);
        double size = Pair.largest(norms(g, left, true)) * Pair.largest(norms(g, weights, false));
        // No activation is steeper than 1.
        double roundings = 4 * p.ofProducts(Math.sqrt(s[1]) + 12, 2);
        y.isWithin(roundings * (1 + size + Pair.largest(bias.expected())), activation + " of " + Arrays.toString(s));
    }
}
