// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import static java.util.Objects.requireNonNull;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.LinearRows;

/** Matrix products and linear layers. */
final class MatrixCases {
    private static final int[][] SIZES = {
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
        {5, 7, 1},
        {130, 129, 67}
    };

    /** As many multiplications as make a product one for cuBLAS, where it is installed. */
    private static final int[] LARGE = {517, 513, 509};

    private static final int[][] LAYERS = {
        {1, 1, 1}, {3, 5, 2}, {17, 33, 13}, {64, 64, 64}, {31, 6, 97}, {5, 207, 3}, {130, 67, 129}
    };

    private MatrixCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>();
        for (int[] s : Case.shapes(deep, SIZES, new int[] {257, 31, 1031})) {
            for (int transposed = 0; transposed < 4; transposed++) {
                Gemm g = Gemm.batched(
                        (transposed & 1) != 0, (transposed & 2) != 0, s[0], s[1], s[2], 1 + s[0] % 3 * transposed);
                cases.add(gemm(g));
                cases.add(gemm(g.withScalars(-0.75f, 0.5f)));
            }
        }
        paddedAndScaled().forEach(g -> cases.add(gemm(g)));
        // Scores of 3 heads of width 5 inside rows of 15: strides shorter than a matrix.
        cases.add(gemm(new Gemm(false, true, 7, 6, 5, 15, 15, 6, 3, 5, 5, 42, 0.5f, 0)));
        cases.add(gemm(new Gemm(false, false, 7, 5, 6, 6, 15, 15, 3, 42, 5, 5, 1, 0)));
        for (Gemm empty : List.of(
                Gemm.dense(false, false, 3, 5, 0),
                Gemm.dense(false, false, 3, 5, 0).withScalars(1, 0.5f),
                Gemm.dense(false, false, 0, 5, 3),
                Gemm.dense(false, true, 3, 0, 2),
                Gemm.batched(false, false, 2, 2, 2, 0))) {
            cases.add(gemm(empty));
        }
        cases.add(gemm(Gemm.dense(true, false, 5, 7, 4099)));
        cases.add(gemm(Gemm.dense(false, true, 33, 2, 2100).withScalars(0.5f, -2)));
        cases.add(gemm(Gemm.batched(false, false, 17, 6, 1030, 2)));
        cases.add(new Case("math.gemm", "long sums of one sign", p -> {
            Gemm g = Gemm.dense(false, true, 3, 5, 6007);
            gemm(p, g, Pair.abs(Pair.normal(3 * 6007, 1)), Pair.abs(Pair.normal(5 * 6007, 2)));
        }));
        cases.add(new Case("math.gemm", "infinities and the largest numbers", MatrixCases::specialProducts));
        int[] large = deep ? new int[] {1031, 1027, 1051} : LARGE;
        cases.add(gemm(Gemm.dense(false, false, large[0], large[1], large[2])));
        for (int[] s : Case.shapes(deep, LAYERS, new int[] {257, 1031, 31})) {
            for (Activation activation : Activation.values()) {
                String name = activation + " of " + Arrays.toString(s);
                cases.add(new Case("math.linear", name, p -> linear(p, s, activation, true)));
                cases.add(new Case("math.linear", name + " without bias", p -> linear(p, s, activation, false)));
                cases.add(new Case("math.linearBackward", name, p -> linearBackward(p, s, activation, false)));
                cases.add(new Case(
                        "math.linearBackward", name + " and more", p -> linearBackward(p, s, activation, true)));
            }
        }
        // As many rows as are summed in parts.
        for (int[] s : new int[][] {{2100, 6, 33}, {1031, 70, 1}, {0, 3, 5}}) {
            String name = Arrays.toString(s);
            cases.add(new Case("math.linearBackward", name, p -> linearBackward(p, s, Activation.NONE, false)));
        }
        for (int[] s : Case.shapes(
                deep, new int[][] {{1, 1, 1}, {3, 7, 13}, {33, 17, 31}, {70, 33, 64}, {600, 6, 5}}, LAYERS[6])) {
            cases.add(new Case("math.linear", "layers of " + Arrays.toString(s), p -> layers(p, s)));
            cases.add(new Case("math.linearBackward", "layers of " + Arrays.toString(s), p -> layersBackward(p, s)));
        }
        return cases;
    }

    private static List<Gemm> paddedAndScaled() {
        Random random = new Random(11);
        float[][] scalars = {{1, 0}, {1, 1}, {-0.5f, 0.25f}, {0, 1}, {2, 0}};
        List<Gemm> products = new ArrayList<>();
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
            float alpha = scalars[trial % scalars.length][0];
            float beta = scalars[trial % scalars.length][1];
            products.add(new Gemm(
                    transposeA, transposeB, m, n, k, lda, ldb, ldc, batch, strideA, strideB, strideC, alpha, beta));
        }
        return products;
    }

    private static Case gemm(Gemm g) {
        return new Case("math.gemm", g.toString(), p -> {
            int a = extent(g, g.transposeA() ? g.k() : g.m(), g.transposeA() ? g.m() : g.k(), g.lda(), g.strideA());
            int b = extent(g, g.transposeB() ? g.n() : g.k(), g.transposeB() ? g.k() : g.n(), g.ldb(), g.strideB());
            gemm(p, g, Pair.normal(a, 1), Pair.normal(b, 2));
        });
    }

    private static int extent(Gemm g, int rows, int columns, int ld, long stride) {
        if (rows == 0 || columns == 0 || g.batch() == 0) {
            return 0;
        }
        return (int) ((g.batch() - 1) * stride + (long) (rows - 1) * ld + columns);
    }

    private static void gemm(Pair p, Gemm g, double[] valuesA, double[] valuesB) {
        double[] valuesC = Pair.normal(extent(g, g.m(), g.n(), g.ldc(), g.strideC()), 3);
        Pair.Both a = p.floats(valuesA);
        Pair.Both b = p.floats(valuesB);
        // With beta 0 the product must not look at what C held, which is NaN here.
        Pair.Both c = g.beta() == 0 ? p.output(valuesC.length) : p.floats(valuesC);
        p.run(d -> d.math().gemm(g, a.on(d), b.on(d), c.on(d)));
        c.isWithin(bounds(p, g, valuesA, valuesB, valuesC), g.toString());
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
        double roundings = 4 * p.ofProducts(Math.sqrt(g.k()) + 2, 2);
        return Arrays.stream(magnitudes.expected()).map(x -> roundings * x).toArray();
    }

    private static void specialProducts(Pair p) {
        double infinity = Double.POSITIVE_INFINITY;
        double[][] rows = {
            {infinity, 1, 2, 3},
            {-infinity, 1, 2, 3},
            {infinity, -infinity, 0, 0},
            {Double.NaN, 0, 0, 0},
            {Float.MAX_VALUE, 0, 0, 0},
            {0, 0, 0, 0}
        };
        double[] a = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
        double[] b = {1, 2, -1, 1.1f, 3, 1, 0.3f, 1, 2, 1, 1, 1};
        gemm(p, Gemm.dense(false, false, 6, 3, 4), a, b);
        double[] special = {0, infinity, Double.NaN, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        gemm(p, Gemm.dense(false, false, 6, 3, 4), a, special);
    }

    private static void linear(Pair p, int[] s, Activation activation, boolean biased) {
        double root = Math.sqrt(s[1]);
        double[] weights = Arrays.stream(Pair.normal(s[1] * s[2], 2))
                .map(w -> (float) (w / root))
                .toArray();
        double[] rows = Pair.normal(s[0] * s[1], 1);
        Pair.Both x = p.floats(rows);
        Pair.Both weight = p.floats(weights);
        Pair.Both bias = p.floats(Pair.normal(s[2], 3));
        Pair.Both y = p.output((long) s[0] * s[2]);
        p.run(b -> b.math()
                .linear(s[0], s[1], s[2], x.on(b), weight.on(b), biased ? bias.on(b) : null, activation, y.on(b)));
        // No sum of magnitudes is more than the product of the norms, and no activation is much steeper than 1.
        double size = largestNorm(rows, s[0], s[1], s[1], 1) * largestNorm(weights, s[2], s[1], 1, s[2]);
        double roundings = 4 * p.ofProducts(root + 2, 2);
        y.isWithin(roundings * (1 + size + Pair.largest(bias.expected())), activation + " of " + Arrays.toString(s));
        if (activation == Activation.NONE) {
            Pair.Both added = p.floats(Pair.normal(s[0] * s[2], 4));
            p.run(b -> b.math()
                    .linear(s[0], s[1], s[2], x.on(b), weight.on(b), biased ? bias.on(b) : null, added.on(b), y.on(b)));
            double sum = size + Pair.largest(bias.expected()) + Pair.largest(added.expected());
            y.isWithin(roundings * (1 + sum), Arrays.toString(s) + ", added to what was there");
        }
    }

    private static void linearBackward(Pair p, int[] s, Activation activation, boolean added) {
        int rows = s[0];
        int in = s[1];
        int out = s[2];
        double[] inputs = Pair.normal(rows * in, 1);
        double[] weights = Pair.normal(in * out, 2);
        double[] upstream = Pair.normal(rows * out, 3);
        double[] before = Pair.normal(rows * in, 4);
        LinearGradients<Pair.Both> args = new LinearGradients<>(
                rows,
                in,
                out,
                activation,
                p.floats(inputs),
                p.floats(weights),
                p.floats(upstream),
                added ? p.floats(before) : null,
                p.output((long) rows * in),
                p.output((long) in * out),
                p.output(out));
        p.run(b -> b.math().linearBackward(args.map(x -> x.on(b))));
        String what = activation + " of " + Arrays.toString(s);
        // The derivatives of normal numbers as if they were outputs are at most 1 + x^2, which is rounded too.
        double steepest = 1 + Math.pow(Pair.largest(inputs), 2);
        double ofDx = largestNorm(upstream, rows, out, out, 1) * largestNorm(weights, in, out, out, 1);
        requireNonNull(args.dx())
                .isWithin(4 * p.ofProducts(Math.sqrt(out) + 4, 2) * steepest * (1 + ofDx + Pair.largest(before)), what);
        double roundings = 4 * p.ofProducts(Math.sqrt(rows) + 4, 2);
        double ofWeight = largestNorm(inputs, in, rows, 1, in) * largestNorm(upstream, out, rows, 1, out);
        requireNonNull(args.dWeight()).isWithin(roundings * (1 + ofWeight), what + ", for the weight");
        double ofBias = Math.sqrt(rows) * largestNorm(upstream, out, rows, 1, out);
        requireNonNull(args.dBias()).isWithin(4 * (Math.sqrt(rows) + 4) * (1 + ofBias), what + ", for the bias");
    }

    /** Three layers, the first of fewer rows, in one go: as if each were by itself. */
    private static void layers(Pair p, int[] s) {
        int in = s[1];
        int out = s[2];
        int[] rows = {(s[0] + 1) / 2, s[0], s[0]};
        double[] all = Pair.normal(s[0] * in, 1);
        double[] few = Pair.normal(rows[0] * in, 2);
        List<Pair.Both> xs = List.of(p.floats(few), p.floats(all), p.floats(all));
        List<Pair.Both> weights = new ArrayList<>();
        List<Pair.Both> biases = new ArrayList<>();
        List<Pair.Both> ys = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            weights.add(p.floats(Pair.normal(in * out, 3 + i)));
            biases.add(p.floats(Pair.normal(out, 6 + i)));
            ys.add(p.output((long) rows[i] * out));
        }
        p.run(b -> {
            List<LinearRows> layers = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                layers.add(new LinearRows(
                        rows[i],
                        xs.get(i).on(b),
                        weights.get(i).on(b),
                        biases.get(i).on(b),
                        ys.get(i).on(b)));
            }
            b.math().linear(in, out, layers);
        });
        for (int i = 0; i < 3; i++) {
            double size = largestNorm(i == 0 ? few : all, rows[i], in, in, 1)
                    * largestNorm(Pair.normal(in * out, 3 + i), out, in, 1, out);
            double roundings = 4 * p.ofProducts(Math.sqrt(in) + 2, 2);
            ys.get(i).isWithin(roundings * (1 + size + 4), "layer " + i + " of " + Arrays.toString(s));
        }
    }

    /** Gradients of three layers in one go, of which the second adds to the dx of the first. */
    private static void layersBackward(Pair p, int[] s) {
        int in = s[1];
        int out = s[2];
        int[] rows = {s[0], s[0], (s[0] + 1) / 2};
        List<LinearGradients<Pair.Both>> layers = new ArrayList<>();
        double ofDx = 0;
        for (int i = 0; i < 3; i++) {
            double[] weights = Pair.normal(in * out, 1 + i);
            double[] upstream = Pair.normal(rows[i] * out, 4 + i);
            ofDx += largestNorm(upstream, rows[i], out, out, 1) * largestNorm(weights, in, out, out, 1);
            layers.add(new LinearGradients<>(
                    rows[i],
                    in,
                    out,
                    Activation.NONE,
                    i == 1 ? layers.get(0).x() : p.floats(Pair.normal(rows[i] * in, 7 + i)),
                    p.floats(weights),
                    p.floats(upstream),
                    i == 1 ? layers.get(0).dx() : null,
                    p.output((long) rows[i] * in),
                    p.output((long) in * out),
                    p.output(out)));
        }
        p.run(b -> b.math()
                .linearBackward(
                        layers.stream().map(args -> args.map(x -> x.on(b))).toList()));
        for (int i = 0; i < 3; i++) {
            String what = "layer " + i + " of " + Arrays.toString(s);
            LinearGradients<Pair.Both> args = layers.get(i);
            // What the next adds may be left unwritten.
            Pair.Both dx = requireNonNull(args.dx());
            if (i > 0 || !Arrays.stream(dx.actual()).allMatch(Double::isNaN)) {
                dx.isWithin(4 * p.ofProducts(Math.sqrt(out) + 4, 2) * (1 + ofDx), what);
            }
            double ofWeight = largestNorm(Pair.normal(rows[i] * in, i == 1 ? 7 : 7 + i), in, rows[i], 1, in)
                    * largestNorm(Pair.normal(rows[i] * out, 4 + i), out, rows[i], 1, out);
            requireNonNull(args.dWeight())
                    .isWithin(4 * p.ofProducts(Math.sqrt(rows[i]) + 4, 2) * (1 + ofWeight), what + ", for the weight");
            requireNonNull(args.dBias())
                    .isWithin(
                            4 * (Math.sqrt(rows[i]) + 4) * (1 + Math.sqrt(rows[i]) * ofWeight),
                            what + ", for the bias");
        }
    }

    private static double largestNorm(double[] x, int vectors, int length, int stride, int step) {
        double largest = 0;
        for (int i = 0; i < vectors; i++) {
            double squares = 0;
            for (int k = 0; k < length; k++) {
                double value = x[i * stride + k * step];
                squares += value * value;
            }
            largest = Math.max(largest, Math.sqrt(squares));
        }
        return largest;
    }
}
