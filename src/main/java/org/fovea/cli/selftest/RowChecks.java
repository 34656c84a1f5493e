package org.fovea.cli.selftest;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.DeviceArray;

/** What is done to each row of a matrix. */
final class RowChecks {
    private static final int[][] SIZES = {{1, 1}, {3, 2}, {5, 97}, {33, 31}, {2, 1031}};
    private static final int[][] DEEP_SIZES = {{1, 1}, {3, 2}, {207, 97}, {70_001, 3}, {13, 20_011}};

    private RowChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("softmax", RowChecks::softmax),
                new Check("layer normalisation", RowChecks::layerNorm),
                new Check("rotary encoding", RowChecks::rotary),
                new Check("standardisation", RowChecks::standardize));
    }

    private static void softmax(Trial t) {
        for (int[] s : t.choose(SIZES, DEEP_SIZES)) {
            int rows = s[0];
            int width = s[1];
            double[] x = t.normal(rows * width);
            double[] softmax = new double[x.length];
            double[] logSoftmax = new double[x.length];
            double[] magnitudes = new double[x.length];
            for (int row = 0; row < rows; row++) {
                double sum = 0;
                for (int i = row * width; i < (row + 1) * width; i++) {
                    sum += Math.exp(x[i]);
                }
                for (int i = row * width; i < (row + 1) * width; i++) {
                    softmax[i] = Math.exp(x[i]) / sum;
                    logSoftmax[i] = x[i] - Math.log(sum);
                    magnitudes[i] = softmax[i] * (8 + Math.sqrt(width));
                }
            }
            DeviceArray y = t.output(x.length);
            t.backend().softmax(rows, width, t.floats(x), y);
            t.near("softmax of " + Arrays.toString(s), y, softmax, magnitudes, 4);
            t.backend().logSoftmax(rows, width, t.floats(x), y);
            t.near("log-softmax of " + Arrays.toString(s), y, logSoftmax, 8 + Math.sqrt(width));
            t.discard();
        }
    }

    private static void layerNorm(Trial t) {
        float epsilon = 1e-5f;
        for (int[] s : t.choose(SIZES, DEEP_SIZES)) {
            int rows = s[0];
            int width = s[1];
            double[] x = t.normal(rows * width);
            double[] gain = t.normal(width);
            double[] bias = t.normal(width);
            double[] dy = t.normal(x.length);
            double[] y = new double[x.length];
            double[] dx = new double[x.length];
            double[] dGain = new double[width];
            double[] dBias = new double[width];
            double[] magnitudes = new double[x.length];
            for (int row = 0; row < rows; row++) {
                int from = row * width;
                double mean = Arrays.stream(x, from, from + width).average().orElse(0);
                double variance = Arrays.stream(x, from, from + width)
                        .map(a -> (a - mean) * (a - mean))
                        .average()
                        .orElse(0);
                double reciprocal = 1 / Math.sqrt(variance + epsilon);
                double meanGradient = 0;
                double meanProduct = 0;
                for (int i = 0; i < width; i++) {
                    double normal = (x[from + i] - mean) * reciprocal;
                    y[from + i] = normal * gain[i] + bias[i];
                    dGain[i] += dy[from + i] * normal;
                    dBias[i] += dy[from + i];
                    meanGradient += dy[from + i] * gain[i] / width;
                    meanProduct += dy[from + i] * gain[i] * normal / width;
                }
                for (int i = 0; i < width; i++) {
                    double normal = (x[from + i] - mean) * reciprocal;
                    dx[from + i] = reciprocal * (dy[from + i] * gain[i] - meanGradient - normal * meanProduct);
                    // A rounding of x is worth so much after the division by the deviation, which may be small.
                    magnitudes[from + i] = 64 * (1 + reciprocal) * (1 + reciprocal);
                }
            }
            DeviceArray input = t.floats(x);
            DeviceArray gains = t.floats(gain);
            DeviceArray found = t.output(x.length);
            DeviceArray mean = t.output(rows);
            DeviceArray reciprocal = t.output(rows);
            t.backend().layerNorm(rows, width, epsilon, input, gains, t.floats(bias), found, mean, reciprocal);
            t.near("output of " + Arrays.toString(s), found, y, magnitudes, 4);
            DeviceArray foundGain = t.output(width);
            DeviceArray foundBias = t.output(width);
            t.backend()
                    .layerNormBackward(
                            rows, width, input, gains, mean, reciprocal, t.floats(dy), found, foundGain, foundBias);
            t.near("gradient of " + Arrays.toString(s), found, dx, magnitudes, 4);
            double largest = 4 * Arrays.stream(magnitudes).max().orElse(1);
            t.near("gradient for the gain of " + Arrays.toString(s), foundGain, dGain, largest + rows);
            t.near("gradient for the bias of " + Arrays.toString(s), foundBias, dBias, rows);
            t.discard();
        }
    }

    private static void rotary(Trial t) {
        int[][] sizes = t.choose(new int[][] {{1, 1, 2}, {7, 3, 6}}, new int[][] {{1, 1, 2}, {207, 5, 34}});
        for (int[] s : sizes) {
            int half = s[2] / 2;
            double[] x = t.normal(s[0] * s[1] * s[2]);
            int[] positions = t.integers(s[0], 50);
            for (int sign : new int[] {1, -1}) {
                double[] y = new double[x.length];
                for (int row = 0; row < s[0] * s[1]; row++) {
                    for (int i = 0; i < half; i++) {
                        double angle = sign * positions[row / s[1]] * Math.pow(10_000, -2.0 * i / s[2]);
                        int at = row * s[2] + i;
                        y[at] = x[at] * Math.cos(angle) - x[at + half] * Math.sin(angle);
                        y[at + half] = x[at] * Math.sin(angle) + x[at + half] * Math.cos(angle);
                    }
                }
                DeviceArray found = t.output(x.length);
                t.backend().rotary(s[0], s[1], s[2], 10_000, sign, t.floats(x), t.ints(positions), found);
                // An angle of up to 50 has so many units of rounding, of which the sine gets a few.
                t.near("turn of " + Arrays.toString(s), found, y, 4 * 50);
            }
        }
    }

    private static void standardize(Trial t) {
        for (int n : t.choose(new int[] {2, 97, 1031}, new int[] {2, 97, 1_000_003})) {
            double[] x = t.normal(n);
            double mean = Arrays.stream(x).average().orElse(0);
            double deviation = Math.sqrt(
                    Arrays.stream(x).map(a -> (a - mean) * (a - mean)).average().orElse(0));
            double[] expected =
                    Arrays.stream(x).map(a -> (a - mean) / (deviation + 1e-8f)).toArray();
            DeviceArray y = t.output(n);
            t.backend().standardize(1e-8f, t.floats(x), y);
            t.near("standardisation of " + n, y, expected, (16 + Math.sqrt(n)) * (1 + 1 / deviation));
        }
    }
}
