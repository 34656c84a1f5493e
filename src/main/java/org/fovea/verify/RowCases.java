package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.memory.DeviceArray;

/** What is done to each row of a matrix. */
final class RowCases {
    private static final int[][] SIZES = {{1, 1}, {3, 2}, {5, 97}, {33, 31}, {2, 1031}};
    private static final int[][] DEEP_SIZES = {{1, 1}, {3, 2}, {207, 97}, {70_001, 3}, {13, 20_011}};
    private static final float EPSILON = 1e-5f;

    private RowCases() {}

    static List<Case> all(boolean deep) {
        int[][] sizes = deep ? DEEP_SIZES : SIZES;
        List<Case> cases = new ArrayList<>(Case.each("softmax", sizes, RowCases::softmax));
        cases.addAll(Case.each("logSoftmax", sizes, RowCases::logSoftmax));
        cases.addAll(Case.each("layerNorm", sizes, RowCases::layerNorm));
        cases.addAll(Case.each("layerNormBackward", sizes, RowCases::layerNormBackward));
        int[][] turns = {{1, 1, 2}, {7, 3, 6}, {207, 5, 34}};
        cases.addAll(Case.each("rotary", Arrays.copyOf(turns, deep ? 3 : 2), RowCases::rotary));
        int[][] lengths = {{2}, {97}, {1031}, {1_000_003}};
        cases.addAll(Case.each("standardize", Arrays.copyOf(lengths, deep ? 4 : 3), RowCases::standardize));
        return cases;
    }

    private static void softmax(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1], 1));
        Pair.Both y = p.output((long) s[0] * s[1]);
        p.run(b -> b.math().softmax(s[0], s[1], x.on(b), y.on(b)));
        double roundings = 4 * (8 + Math.sqrt(s[1]));
        y.isWithin(Arrays.stream(y.expected()).map(z -> roundings * z).toArray(), what);
    }

    private static void logSoftmax(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1], 1));
        Pair.Both y = p.output((long) s[0] * s[1]);
        p.run(b -> b.math().logSoftmax(s[0], s[1], x.on(b), y.on(b)));
        y.isWithin((8 + Math.sqrt(s[1])) * (1 + Pair.largest(y.expected())), what);
    }

    /** What a rounding of x is worth after the division by the deviation, which may be small. */
    private static double[] worth(Pair.Both reciprocals, int width) {
        double[] rows = reciprocals.expected();
        double[] worth = new double[rows.length * width];
        Arrays.setAll(worth, i -> 256 * (1 + rows[i / width]) * (1 + rows[i / width]));
        return worth;
    }

    private static LayerNormArgs<Pair.Both> layerNormArgs(Pair p, int[] s) {
        return new LayerNormArgs<>(
                s[0],
                s[1],
                p.floats(Pair.normal(s[0] * s[1], 1)),
                p.floats(Pair.normal(s[1], 2)),
                p.output(s[0]),
                p.output(s[0]));
    }

    private static void layerNorm(Pair p, int[] s, String what) {
        LayerNormArgs<Pair.Both> args = layerNormArgs(p, s);
        Pair.Both bias = p.floats(Pair.normal(s[1], 3));
        Pair.Both y = p.output((long) s[0] * s[1]);
        p.run(b -> b.math().layerNorm(args.map(x -> x.on(b)), EPSILON, bias.on(b), y.on(b)));
        Pair.Both reciprocal = args.reciprocalStd();
        y.isWithin(worth(reciprocal, s[1]), what);
        args.mean().isWithin(64, what + ", mean");
        double largest = 1 + Pair.largest(reciprocal.expected());
        reciprocal.isWithin(64 * largest * largest, what + ", reciprocal of the deviation");
    }

    private static void layerNormBackward(Pair p, int[] s, String what) {
        LayerNormArgs<Pair.Both> args = layerNormArgs(p, s);
        Pair.Both bias = p.floats(Pair.normal(s[1], 3));
        Pair.Both dy = p.floats(Pair.normal(s[0] * s[1], 4));
        Pair.Both dx = p.output((long) s[0] * s[1]);
        Pair.Both dGain = p.output(s[1]);
        Pair.Both dBias = p.output(s[1]);
        p.run(b -> {
            LayerNormArgs<DeviceArray> arrays = args.map(x -> x.on(b));
            b.math().layerNorm(arrays, EPSILON, bias.on(b), dx.on(b));
            b.math().layerNormBackward(arrays, dy.on(b), dx.on(b), dGain.on(b), dBias.on(b));
        });
        double[] worth = worth(args.reciprocalStd(), s[1]);
        dx.isWithin(worth, what);
        dGain.isWithin(
                (4 * Pair.largest(worth) + s[0]) * (1 + Pair.largest(dGain.expected())), what + ", for the gain");
        dBias.isWithin(s[0] * (1 + Pair.largest(dBias.expected())), what + ", for the bias");
    }

    private static void rotary(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1] * s[2], 1));
        Pair.Both positions = p.ints(new Random(2).ints(s[0], 0, 50).toArray());
        Pair.Both y = p.output((long) s[0] * s[1] * s[2]);
        for (int sign : new int[] {1, -1}) {
            p.run(b -> b.math().rotary(s[0], s[1], s[2], 10_000, sign, x.on(b), positions.on(b), y.on(b)));
            // An angle of up to 50 has so many units of rounding, of which the sine gets a few.
            y.isWithin(4 * 50 * (1 + Pair.largest(x.expected())), what + (sign > 0 ? "" : ", backwards"));
        }
    }

    private static void standardize(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0], s[0]));
        Pair.Both y = p.output(s[0]);
        p.run(b -> b.math().standardize(1e-8f, x.on(b), y.on(b)));
        double[] values = x.expected();
        double mean = Arrays.stream(values).average().orElse(0);
        double deviation = Math.sqrt(Arrays.stream(values)
                .map(v -> (v - mean) * (v - mean))
                .average()
                .orElse(0));
        y.isWithin((16 + Math.sqrt(s[0])) * (1 + 1 / deviation) * (1 + Pair.largest(y.expected())), what);
    }
}
