package org.fovea.backend.contract;

import java.util.Arrays;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Layers and row-wise functions. */
interface RowsContract extends ContractFixture {

    /** Rows and widths: also none, more rows than a grid's second extent, and rows longer than a block of threads. */
    int[][] SIZES = {
        {1, 1}, {1, 33}, {5, 2}, {3, 17}, {13, 64}, {31, 97}, {2, 207}, {64, 16}, {97, 6}, {0, 5}, {65537, 1}, {3, 1030}
    };

    @Test
    default void linearLayers() {
        int[][] sizes = {{1, 1, 1}, {3, 5, 2}, {17, 33, 13}, {64, 64, 64}, {31, 6, 97}, {5, 207, 3}};
        for (int[] s : sizes) {
            for (Activation activation : Activation.values()) {
                for (boolean biased : new boolean[] {true, false}) {
                    try (Pair p = pair()) {
                        Pair.Both x = p.floats(Pair.normal(s[0] * s[1], 1));
                        Pair.Both weight = p.floats(scaled(Pair.normal(s[1] * s[2], 2), 1 / Math.sqrt(s[1])));
                        Pair.Both bias = p.floats(Pair.normal(s[2], 3));
                        Pair.Both y = p.output((long) s[0] * s[2]);
                        p.run(b -> b.math()
                                .linear(
                                        s[0],
                                        s[1],
                                        s[2],
                                        x.on(b),
                                        weight.on(b),
                                        biased ? bias.on(b) : null,
                                        activation,
                                        y.on(b)));
                        double terms = s[1] * Pair.largest(x.expected()) * Pair.largest(weight.expected());
                        double bound = 4 * (Math.sqrt(s[1]) + 2) * (terms + Pair.largest(bias.expected()) + 1);
                        y.isWithin(bound, "linear " + Arrays.toString(s) + " " + activation);
                    }
                }
            }
        }
    }

    private static double[] scaled(double[] values, double factor) {
        return Arrays.stream(values).map(x -> (float) (x * factor)).toArray();
    }

    @Test
    default void softmaxOfRows() {
        for (int[] s : SIZES) {
            for (double shift : new double[] {0, 1e4, -1e4}) {
                double[] values = Arrays.stream(Pair.normal(s[0] * s[1], s[1]))
                        .map(x -> (float) (4 * x + shift))
                        .toArray();
                try (Pair p = pair()) {
                    Pair.Both x = p.floats(values);
                    Pair.Both y = p.output(values.length);
                    double range = 2
                            * Pair.largest(
                                    Arrays.stream(values).map(v -> v - shift).toArray());
                    double terms = 4 * (range + Math.sqrt(s[1]) + 2);
                    p.run(b -> b.math().softmax(s[0], s[1], x.on(b), y.on(b)));
                    y.isWithin(scaled(y.expected(), terms), "softmax " + Arrays.toString(s) + " shifted by " + shift);
                    p.run(b -> b.math().logSoftmax(s[0], s[1], x.on(b), y.on(b)));
                    y.isWithin(terms + 2 * range, "logSoftmax " + Arrays.toString(s) + " shifted by " + shift);
                }
            }
        }
    }

    @Test
    default void softmaxOfMaskedRows() {
        try (Pair p = pair()) {
            double[] values = Pair.normal(4 * 17, 5);
            Arrays.fill(values, 0, 17, Double.NEGATIVE_INFINITY);
            Arrays.fill(values, 18, 34, Double.NEGATIVE_INFINITY);
            values[40] = Double.NEGATIVE_INFINITY;
            Pair.Both x = p.floats(values);
            Pair.Both y = p.output(values.length);
            p.run(b -> b.math().softmax(4, 17, x.on(b), y.on(b)));
            y.isWithin(64, "softmax");
            Pair.Both partly = p.floats(Arrays.copyOfRange(values, 17, values.length));
            Pair.Both z = p.output(3 * 17);
            p.run(b -> b.math().logSoftmax(3, 17, partly.on(b), z.on(b)));
            z.isWithin(64, "logSoftmax");
        }
    }

    @Test
    default void layerNormOfRows() {
        for (int[] s : SIZES) {
            for (double offset : new double[] {0, 1000}) {
                checkLayerNorm(s[0], s[1], offset);
            }
        }
    }

    /** Far from zero, where the difference of two sums of squares would have no digits left. */
    private void checkLayerNorm(int rows, int width, double offset) {
        float epsilon = 1e-5f;
        try (Pair p = pair()) {
            double[] values = Arrays.stream(Pair.normal(rows * width, width))
                    .map(v -> (float) (v + offset))
                    .toArray();
            Pair.Both x = p.floats(values);
            Pair.Both gain = p.floats(Pair.normal(width, 2));
            Pair.Both bias = p.floats(Pair.normal(width, 3));
            Pair.Both y = p.output(values.length);
            Pair.Both mean = p.output(rows);
            Pair.Both reciprocal = p.output(rows);
            LayerNormArgs<Pair.Both> args = new LayerNormArgs<>(rows, width, x, gain, mean, reciprocal);
            p.run(b -> b.math().layerNorm(args.map(array -> array.on(b)), epsilon, bias.on(b), y.on(b)));
            String what = "layerNorm [" + rows + ", " + width + "] around " + offset;
            double root = Math.sqrt(width);
            double size = Pair.largest(values);
            double g = Pair.largest(gain.expected());
            mean.isWithin(4 * root * size, what + " mean");
            // One rounding of x, or of the mean, in units of the standard deviation.
            double condition = root * size * Pair.largest(reciprocal.expected());
            double[] reciprocalBounds = scaled(reciprocal.expected(), 4 * (root + 2 * condition));
            reciprocal.isWithin(reciprocalBounds, what + " reciprocalStd");
            y.isWithin(4 * (condition + root) * (1 + root) * g + 4 * Pair.largest(bias.expected()), what);
            checkLayerNormBackward(p, rows, width, what, x, gain, mean, reciprocal);
        }
    }

    private static void checkLayerNormBackward(
            Pair p, int rows, int width, String what, Pair.Both x, Pair.Both gain, Pair.Both means, Pair.Both stds) {
        Pair.Both mean = p.floats(means.expected());
        Pair.Both reciprocal = p.floats(stds.expected());
        Pair.Both dy = p.floats(Pair.normal(rows * width, 4));
        Pair.Both dx = p.output((long) rows * width);
        Pair.Both dGain = p.output(width);
        Pair.Both dBias = p.output(width);
        LayerNormArgs<Pair.Both> args = new LayerNormArgs<>(rows, width, x, gain, mean, reciprocal);
        p.run(b -> b.math()
                .layerNormBackward(args.map(array -> array.on(b)), dy.on(b), dx.on(b), dGain.on(b), dBias.on(b)));
        double std = Pair.largest(reciprocal.expected());
        // The mean is an input here, so one subtraction is all that rounds in (x - mean).
        double normal = Math.sqrt(width) + 1;
        double dNormal = Pair.largest(dy.expected()) * Pair.largest(gain.expected());
        double terms = Math.sqrt(width) + 4;
        dx.isWithin(4 * terms * std * dNormal * (1 + normal * normal), what + " dx");
        double perColumn = 4 * (Math.sqrt(rows) + 4) * rows * Pair.largest(dy.expected());
        dGain.isWithin(perColumn * normal, what + " dGain");
        dBias.isWithin(perColumn, what + " dBias");
    }

    @Test
    default void rotaryTurnsPairs() {
        int[][] sizes = {{1, 1, 2}, {5, 3, 6}, {17, 2, 64}, {3, 4, 34}, {0, 2, 4}, {2, 1, 600}};
        for (int[] s : sizes) {
            for (int sign : new int[] {1, -1}) {
                try (Pair p = pair()) {
                    int length = s[0] * s[1] * s[2];
                    int[] at = new int[s[0]];
                    for (int r = 0; r < at.length; r++) {
                        at[r] = r * r * 7 - 3;
                    }
                    Pair.Both x = p.floats(Pair.normal(length, 1));
                    Pair.Both positions = p.ints(at);
                    Pair.Both y = p.output(length);
                    p.run(b -> b.math().rotary(s[0], s[1], s[2], 10000, sign, x.on(b), positions.on(b), y.on(b)));
                    double angle = 7.0 * at.length * at.length;
                    y.isWithin(4 * (angle + 2) * Pair.largest(x.expected()), "rotary " + Arrays.toString(s));
                }
            }
        }
    }

    @Test
    default void standardizeWholeArrays() {
        for (int length : new int[] {2, 3, 5, 17, 97, 207, 4099, 12289}) {
            for (double offset : new double[] {0, 1000}) {
                try (Pair p = pair()) {
                    double[] values = Arrays.stream(Pair.normal(length, length))
                            .map(v -> (float) (v + offset))
                            .toArray();
                    Pair.Both x = p.floats(values);
                    Pair.Both y = p.output(length);
                    p.run(b -> b.math().standardize(1e-8f, x.on(b), y.on(b)));
                    double std = Math.sqrt(variance(values));
                    double root = Math.sqrt(length);
                    double condition = root * Pair.largest(values) / std;
                    double bound = 4 * (condition + root) * (1 + Pair.largest(y.expected()));
                    y.isWithin(bound, "standardize " + length + " around " + offset);
                }
            }
        }
    }

    private static double variance(double[] values) {
        double mean = Arrays.stream(values).average().orElse(0);
        return Arrays.stream(values).map(v -> (v - mean) * (v - mean)).average().orElse(0);
    }

    @Test
    default void standardizeOfAConstantIsZero() {
        try (Pair p = pair()) {
            Pair.Both x = p.floats(new double[33]);
            Pair.Both y = p.output(33);
            p.run(b -> b.math().standardize(1e-8f, x.on(b), y.on(b)));
            y.isExact("standardize of zeros");
        }
    }
}
