// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.RotaryRows;

/** Functions of each row of a matrix, and of the whole of one. */
final class RowCases {
    /** Also none, more rows than a grid's second extent, and rows longer than a block of threads. */
    private static final int[][] SIZES = {
        {1, 1},
        {1, 33},
        {5, 2},
        {3, 17},
        {13, 64},
        {31, 97},
        {2, 207},
        {64, 16},
        {97, 6},
        {0, 5},
        {65537, 1},
        {3, 1030}
    };

    private static final int[][] DEEP_SIZES = {{70_001, 3}, {13, 20_011}};
    private static final float EPSILON = 1e-5f;

    private RowCases() {}

    static List<Case> all(boolean deep) {
        int[][] sizes = Case.shapes(deep, SIZES, DEEP_SIZES);
        List<Case> cases = new ArrayList<>();
        for (double shift : new double[] {0, 1e4, -1e4}) {
            cases.addAll(shifted("math.softmax", sizes, shift, (p, s, what) -> softmax(p, s, shift, what)));
            cases.addAll(shifted("math.logSoftmax", sizes, shift, (p, s, what) -> logSoftmax(p, s, shift, what)));
        }
        cases.add(new Case("math.softmax", "masked rows", RowCases::maskedSoftmax));
        cases.add(new Case("math.logSoftmax", "masked rows", RowCases::maskedLogSoftmax));
        // Far from zero the difference of two sums of squares would have no digits left.
        for (double offset : new double[] {0, 1000}) {
            cases.addAll(shifted("math.layerNorm", sizes, offset, (p, s, what) -> layerNorm(p, s, offset, what)));
            cases.addAll(shifted(
                    "math.layerNormBackward", sizes, offset, (p, s, what) -> layerNormBackward(p, s, offset, what)));
        }
        int[][] turns = {{1, 1, 2}, {5, 3, 6}, {7, 3, 6}, {17, 2, 64}, {3, 4, 34}, {0, 2, 4}, {2, 1, 600}};
        cases.addAll(Case.each("math.rotary", Case.shapes(deep, turns, new int[] {207, 5, 34}), RowCases::rotary));
        cases.add(new Case("math.rotary", "two arrays", RowCases::rotaryOfTwo));
        int[][] lengths = {{2}, {3}, {5}, {17}, {97}, {207}, {1031}, {4099}, {12289}};
        for (double offset : new double[] {0, 1000}) {
            cases.addAll(shifted(
                    "math.standardize",
                    Case.shapes(deep, lengths, new int[] {1_000_003}),
                    offset,
                    (p, s, what) -> standardize(p, s[0], offset, what)));
        }
        cases.add(new Case("math.standardize", "zeros", p -> {
            Pair.Both x = p.floats(new double[33]);
            Pair.Both y = p.output(33);
            p.run(b -> b.math().standardize(1e-8f, x.on(b), y.on(b)));
            y.isExact("standardize of zeros");
        }));
        return cases;
    }

    private static List<Case> shifted(String operation, int[][] shapes, double shift, Case.ShapeBody body) {
        return Case.each(operation, shapes, body).stream()
                .map(c -> shift == 0 ? c : new Case(operation, c.name() + " around " + shift, c.body()))
                .toList();
    }

    private static double[] around(int length, long seed, double scale, double offset) {
        return Arrays.stream(Pair.normal(length, seed))
                .map(x -> (float) (scale * x + offset))
                .toArray();
    }

    private static double[] scaled(double[] values, double factor) {
        return Arrays.stream(values).map(x -> factor * x).toArray();
    }

    /** Relative error of a probability: that of its exponent, and of the sum. */
    private static double softmaxRoundings(double[] values, int width, double shift) {
        double range =
                2 * Pair.largest(Arrays.stream(values).map(v -> v - shift).toArray());
        return 4 * (range + Math.sqrt(width) + 2);
    }

    private static void softmax(Pair p, int[] s, double shift, String what) {
        double[] values = around(s[0] * s[1], s[1], 4, shift);
        Pair.Both x = p.floats(values);
        Pair.Both y = p.output(values.length);
        p.run(b -> b.math().softmax(s[0], s[1], x.on(b), y.on(b)));
        y.isWithin(scaled(y.expected(), softmaxRoundings(values, s[1], shift)), what);
    }

    private static void logSoftmax(Pair p, int[] s, double shift, String what) {
        double[] values = around(s[0] * s[1], s[1], 4, shift);
        Pair.Both x = p.floats(values);
        Pair.Both y = p.output(values.length);
        p.run(b -> b.math().logSoftmax(s[0], s[1], x.on(b), y.on(b)));
        double roundings = 4 * (Math.sqrt(s[1]) + 2);
        y.isWithin(
                Arrays.stream(y.expected())
                        .map(z -> roundings + 4 * Math.abs(z))
                        .toArray(),
                what);
    }

    /** A row of -infinity alone, one with a single other number, one with a single such. */
    private static double[] masked() {
        double[] values = Pair.normal(4 * 17, 5);
        Arrays.fill(values, 0, 17, Double.NEGATIVE_INFINITY);
        Arrays.fill(values, 18, 34, Double.NEGATIVE_INFINITY);
        values[40] = Double.NEGATIVE_INFINITY;
        return values;
    }

    private static void maskedSoftmax(Pair p) {
        Pair.Both x = p.floats(masked());
        Pair.Both y = p.output(4 * 17);
        p.run(b -> b.math().softmax(4, 17, x.on(b), y.on(b)));
        y.isWithin(64, "softmax of masked rows");
    }

    private static void maskedLogSoftmax(Pair p) {
        Pair.Both x = p.floats(Arrays.copyOfRange(masked(), 17, 4 * 17));
        Pair.Both y = p.output(3 * 17);
        p.run(b -> b.math().logSoftmax(3, 17, x.on(b), y.on(b)));
        y.isWithin(64, "logSoftmax of masked rows");
    }

    /** Means and deviations are to be written. */
    private static LayerNormArgs<Pair.Both> layerNormArgs(Pair p, int[] s, double offset) {
        return new LayerNormArgs<>(
                s[0],
                s[1],
                p.floats(around(s[0] * s[1], s[1], 1, offset)),
                p.floats(Pair.normal(s[1], 2)),
                p.output(s[0]),
                p.output(s[0]));
    }

    private static void layerNorm(Pair p, int[] s, double offset, String what) {
        int width = s[1];
        LayerNormArgs<Pair.Both> args = layerNormArgs(p, s, offset);
        Pair.Both bias = p.floats(Pair.normal(width, 3));
        Pair.Both y = p.output((long) s[0] * width);
        p.run(b -> b.math().layerNorm(args.map(x -> x.on(b)), EPSILON, bias.on(b), y.on(b)));
        double[] values = args.x().expected();
        double root = Math.sqrt(width);
        double[] means = args.mean().expected();
        double[] reciprocals = args.reciprocalStd().expected();
        double[] gains = args.gain().expected();
        double[] biases = bias.expected();
        double[] meanBounds = new double[s[0]];
        double[] reciprocalBounds = new double[s[0]];
        double[] bounds = new double[values.length];
        for (int row = 0; row < s[0]; row++) {
            double magnitude = 0;
            for (int c = 0; c < width; c++) {
                magnitude += Math.abs(values[row * width + c]) / width;
            }
            // An error of the mean, in units of the standard deviation.
            double condition = root * magnitude * reciprocals[row];
            meanBounds[row] = 4 * root * magnitude;
            reciprocalBounds[row] = 4 * (root + 2 * condition) * reciprocals[row];
            for (int c = 0; c < width; c++) {
                double normal = Math.abs(values[row * width + c] - means[row]) * reciprocals[row];
                bounds[row * width + c] =
                        4 * (condition + root) * (1 + normal) * Math.abs(gains[c]) + 4 * Math.abs(biases[c]);
            }
        }
        args.mean().isWithin(meanBounds, what + ", mean");
        args.reciprocalStd().isWithin(reciprocalBounds, what + ", reciprocal of the deviation");
        y.isWithin(bounds, what);
    }

    /** Of given means and deviations, those of the reference. */
    private static void layerNormBackward(Pair p, int[] s, double offset, String what) {
        int width = s[1];
        int length = s[0] * width;
        LayerNormArgs<Pair.Both> made = layerNormArgs(p, s, offset);
        Pair.Both bias = p.floats(Pair.normal(width, 3));
        Pair.Both dy = p.floats(Pair.normal(length, 4));
        Pair.Both dx = p.output(length);
        Pair.Both dGain = p.output(width);
        Pair.Both dBias = p.output(width);
        p.run(b -> b.math().layerNorm(made.map(x -> x.on(b)), EPSILON, bias.on(b), dx.on(b)));
        LayerNormArgs<Pair.Both> args = new LayerNormArgs<>(
                s[0],
                width,
                made.x(),
                made.gain(),
                p.floats(made.mean().expected()),
                p.floats(made.reciprocalStd().expected()));
        Pair.Both added = p.floats(Pair.normal(length, 5));
        Pair.Both total = p.output(length);
        Pair.Both dGainAgain = p.output(width);
        Pair.Both dBiasAgain = p.output(width);
        p.run(b -> b.math().layerNormBackward(args.map(x -> x.on(b)), dy.on(b), dx.on(b), dGain.on(b), dBias.on(b)));
        p.run(b -> b.math()
                .layerNormBackward(
                        args.map(x -> x.on(b)),
                        dy.on(b),
                        added.on(b),
                        total.on(b),
                        dGainAgain.on(b),
                        dBiasAgain.on(b)));
        double[] xs = args.x().expected();
        double[] centre = args.mean().expected();
        double[] std = args.reciprocalStd().expected();
        double[] gains = args.gain().expected();
        double[] dys = dy.expected();
        double[] normal = new double[length];
        Arrays.setAll(normal, i -> Math.abs(xs[i] - centre[i / width]) * std[i / width]);
        double[] dNormal = new double[length];
        Arrays.setAll(dNormal, i -> Math.abs(dys[i] * gains[i % width]));
        double[] bounds = new double[length];
        double[] gainBounds = new double[width];
        double[] biasBounds = new double[width];
        double terms = Math.sqrt(width) + 4;
        for (int row = 0; row < s[0]; row++) {
            double sum = 0;
            double product = 0;
            for (int i = row * width; i < (row + 1) * width; i++) {
                sum += dNormal[i] / width;
                product += dNormal[i] * normal[i] / width;
            }
            for (int i = row * width; i < (row + 1) * width; i++) {
                bounds[i] = 4 * terms * std[row] * (dNormal[i] + sum + normal[i] * product);
                double size = 4 * (Math.sqrt(s[0]) + 4) * Math.abs(dys[i]);
                gainBounds[i % width] += size * normal[i];
                biasBounds[i % width] += size;
            }
        }
        dx.isWithin(bounds, what);
        double[] more = added.expected();
        Arrays.setAll(bounds, i -> bounds[i] + 2 * Math.abs(more[i]));
        total.isWithin(bounds, what + ", added to what was there");
        dGain.isWithin(gainBounds, what + ", for the gain");
        dGainAgain.isWithin(gainBounds, what + ", for the gain, beside a sum");
        dBias.isWithin(biasBounds, what + ", for the bias");
        dBiasAgain.isWithin(biasBounds, what + ", for the bias, beside a sum");
    }

    private static void rotary(Pair p, int[] s, String what) {
        int length = s[0] * s[1] * s[2];
        int[] at = new int[s[0]];
        Arrays.setAll(at, r -> r * r * 7 - 3);
        Pair.Both x = p.floats(Pair.normal(length, 1));
        Pair.Both positions = p.ints(at);
        Pair.Both y = p.output(length);
        for (int sign : new int[] {1, -1}) {
            p.run(b -> b.math().rotary(s[0], s[1], s[2], 10_000, sign, x.on(b), positions.on(b), y.on(b)));
            // A rounding of an angle turns by so much.
            double angle = 7.0 * at.length * at.length;
            y.isWithin(4 * (angle + 2) * Pair.largest(x.expected()), what + (sign > 0 ? "" : ", backwards"));
        }
    }

    private static void rotaryOfTwo(Pair p) {
        int[] rows = {7, 3};
        List<Pair.Both> xs = new ArrayList<>();
        List<Pair.Both> positions = new ArrayList<>();
        List<Pair.Both> ys = new ArrayList<>();
        for (int of : rows) {
            int[] at = new int[of];
            Arrays.setAll(at, r -> r * 5 - of);
            xs.add(p.floats(Pair.normal(of * 3 * 6, of)));
            positions.add(p.ints(at));
            ys.add(p.output(of * 3L * 6));
        }
        for (int sign : new int[] {1, -1}) {
            p.run(b -> {
                RotaryRows[] both = new RotaryRows[2];
                Arrays.setAll(
                        both,
                        i -> new RotaryRows(
                                rows[i],
                                xs.get(i).on(b),
                                positions.get(i).on(b),
                                ys.get(i).on(b)));
                b.math().rotary(3, 6, 10_000, sign, both[0], both[1]);
            });
            for (int i = 0; i < 2; i++) {
                ys.get(i).isWithin(4 * 37 * Pair.largest(xs.get(i).expected()), "array " + i + ", sign " + sign);
            }
        }
    }

    private static void standardize(Pair p, int length, double offset, String what) {
        double[] values = around(length, length, 1, offset);
        Pair.Both x = p.floats(values);
        Pair.Both y = p.output(length);
        p.run(b -> b.math().standardize(1e-8f, x.on(b), y.on(b)));
        double mean = Arrays.stream(values).average().orElse(0);
        double variance = Arrays.stream(values)
                .map(v -> (v - mean) * (v - mean))
                .average()
                .orElse(0);
        double root = Math.sqrt(length);
        double magnitude = Arrays.stream(values).map(Math::abs).average().orElse(0);
        double condition = root * magnitude / Math.sqrt(variance);
        y.isWithin(
                Arrays.stream(y.expected())
                        .map(z -> 4 * (condition + root) * (1 + Math.abs(z)))
                        .toArray(),
                what);
    }
}
