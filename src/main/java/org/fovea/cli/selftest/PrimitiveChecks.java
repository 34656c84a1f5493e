package org.fovea.cli.selftest;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.fovea.backend.Activation;
import org.fovea.backend.Backend;
import org.fovea.backend.BinaryOp;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Draw;
import org.fovea.backend.Philox;
import org.fovea.backend.ReduceOp;
import org.fovea.backend.UnaryOp;

/** Memory, elementwise operations, reductions, rearrangements and random numbers. */
final class PrimitiveChecks {
    private static final int[] SIZES = {1, 2, 3, 31, 97, 1031};
    private static final int[] DEEP_SIZES = {1, 2, 3, 5, 31, 33, 97, 207, 1031, 65_537, 1_000_003};

    private PrimitiveChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("memory", PrimitiveChecks::memory),
                new Check("16-bit floats", PrimitiveChecks::halves),
                new Check("elementwise functions", PrimitiveChecks::maps),
                new Check("elementwise pairs", PrimitiveChecks::zips),
                new Check("selection", PrimitiveChecks::select),
                new Check("reductions", PrimitiveChecks::reduce),
                new Check("rearrangement", PrimitiveChecks::arrange),
                new Check("rows by index", PrimitiveChecks::rows),
                new Check("random numbers", PrimitiveChecks::uniform));
    }

    private static int[] sizes(Trial t) {
        return t.choose(SIZES, DEEP_SIZES);
    }

    private static void memory(Trial t) {
        Backend b = t.backend();
        for (int n : sizes(t)) {
            double[] values = t.normal(n);
            DeviceArray array = t.floats(values);
            t.equal("upload and download of " + n, array, values);
            DeviceArray copy = t.output(n);
            b.copy(array, copy);
            b.fill(array, -0.5);
            t.equal("copy of " + n, copy, values);
            t.equal(
                    "fill of " + n,
                    array,
                    IntStream.range(0, n).mapToDouble(i -> -0.5).toArray());
            int from = n / 3;
            b.fill(copy.slice(from, n - 2L * from), 3);
            Arrays.fill(values, from, n - from, 3);
            t.equal("slice of " + n, copy, values);
            int[] integers = t.integers(n, Integer.MAX_VALUE);
            t.equal("integers of " + n, t.ints(integers), integers);
            DeviceArray range = t.output(n);
            b.iota(-2, 0.5, range);
            t.equal(
                    "iota of " + n,
                    range,
                    IntStream.range(0, n).mapToDouble(i -> -2 + 0.5 * i).toArray());
        }
    }

    private static void halves(Trial t) {
        for (DType type : List.of(DType.BF16, DType.F16)) {
            // Whole numbers of 7 bits are exact in both.
            double[] values =
                    IntStream.range(0, 257).mapToDouble(i -> (i - 128) / 16.0).toArray();
            DeviceArray half = t.output(type, values.length);
            t.backend().cast(t.floats(values), half);
            t.equal(type + " from float32", half, values);
            DeviceArray back = t.output(values.length);
            t.backend().cast(half, back);
            t.equal(type + " to float32", back, values);
        }
    }

    private static double apply(UnaryOp op, double x) {
        return switch (op) {
            case NEGATE -> -x;
            case ABS -> Math.abs(x);
            case SIGN -> Math.signum(x);
            case EXP -> Math.exp(x);
            case LOG -> Math.log(x);
            case SQRT -> Math.sqrt(x);
            case RSQRT -> 1 / Math.sqrt(x);
            case RECIPROCAL -> 1 / x;
            case SQUARE -> x * x;
            case TANH -> Math.tanh(x);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
            case SOFTPLUS -> Math.log1p(Math.exp(x));
            case RELU -> Math.max(x, 0);
            case STEP -> x > 0 ? 1 : 0;
            case GELU -> x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
            case SIN -> Math.sin(x);
            case COS -> Math.cos(x);
        };
    }

    private static boolean isForPositive(UnaryOp op) {
        return op == UnaryOp.LOG || op == UnaryOp.SQRT || op == UnaryOp.RSQRT || op == UnaryOp.RECIPROCAL;
    }

    private static void maps(Trial t) {
        for (int n : sizes(t)) {
            for (UnaryOp op : UnaryOp.values()) {
                double[] x = t.normal(n);
                if (isForPositive(op)) {
                    Arrays.setAll(x, i -> Math.abs(x[i]) + 0.125f);
                    Arrays.setAll(x, i -> (float) x[i]);
                }
                double[] expected = Arrays.stream(x).map(a -> apply(op, a)).toArray();
                double[] magnitudes = new double[n];
                // One rounding of an argument of up to 6 changes no result by more than this.
                Arrays.setAll(magnitudes, i -> 1 + Math.abs(x[i]) + Math.abs(expected[i]) * (1 + Math.abs(x[i])));
                DeviceArray y = t.output(n);
                t.backend().map(op, t.floats(x), y);
                t.near(op + " of " + n, y, expected, magnitudes, 8);
                t.discard();
            }
        }
    }

    private static double apply(BinaryOp op, double a, double b) {
        return switch (op) {
            case ADD -> a + b;
            case SUBTRACT -> a - b;
            case MULTIPLY -> a * b;
            case DIVIDE -> a / b;
            case MIN -> Math.min(a, b);
            case MAX -> Math.max(a, b);
            case LESS -> a < b ? 1 : 0;
            case LESS_EQUAL -> a <= b ? 1 : 0;
            case EQUAL -> a == b ? 1 : 0;
            case TANH_GRADIENT -> (1 - a * a) * b;
            case SIGMOID_GRADIENT -> a * (1 - a) * b;
            case RELU_GRADIENT -> a > 0 ? b : 0;
            case GELU_GRADIENT -> {
                double c = Math.sqrt(2 / Math.PI);
                double tanh = Math.tanh(c * (a + 0.044715 * a * a * a));
                yield b * (0.5 * (1 + tanh) + 0.5 * a * (1 - tanh * tanh) * c * (1 + 3 * 0.044715 * a * a));
            }
        };
    }

    /** A matrix with a column, and with a row. */
    private static void zips(Trial t) {
        for (int n : sizes(t)) {
            int rows = Math.min(n, 7);
            int columns = Math.max(1, n / rows);
            int[] shape = {rows, columns};
            for (BinaryOp op : BinaryOp.values()) {
                double[] a = t.normal(rows * columns);
                double[] b = t.normal(columns);
                if (op == BinaryOp.DIVIDE) {
                    Arrays.setAll(b, i -> (float) (b[i] + Math.copySign(0.5, b[i])));
                }
                double[] expected = new double[a.length];
                double[] magnitudes = new double[a.length];
                for (int i = 0; i < a.length; i++) {
                    expected[i] = apply(op, a[i], b[i % columns]);
                    magnitudes[i] = (1 + a[i] * a[i]) * (1 + Math.abs(b[i % columns])) + Math.abs(expected[i]);
                }
                DeviceArray y = t.output(a.length);
                t.backend().zip(op, shape, t.floats(a), new int[] {columns, 1}, t.floats(b), new int[] {0, 1}, y);
                t.near(op + " of " + rows + " x " + columns, y, expected, magnitudes, 8);
                t.discard();
            }
        }
    }

    private static void select(Trial t) {
        for (int n : sizes(t)) {
            double[] condition =
                    Arrays.stream(t.integers(n, 2)).asDoubleStream().toArray();
            double[] a = t.normal(n);
            double[] b = t.normal(n);
            double[] expected = new double[n];
            Arrays.setAll(expected, i -> condition[i] != 0 ? a[i] : b[i]);
            DeviceArray y = t.output(n);
            t.backend().select(t.floats(condition), t.floats(a), t.floats(b), y);
            t.equal("select of " + n, y, expected);
        }
    }

    private static void reduce(Trial t) {
        int[][] shapes = t.choose(
                new int[][] {{1, 1, 1}, {3, 97, 1}, {5, 207, 3}, {1, 4099, 1}, {2, 3, 131}},
                new int[][] {{1, 1, 1}, {3, 97, 1}, {5, 207, 3}, {2, 3, 131}, {33, 4099, 17}, {1, 1_000_003, 1}});
        for (int[] s : shapes) {
            double[] x = t.normal(s[0] * s[1] * s[2]);
            double[] sums = new double[s[0] * s[2]];
            double[] magnitudes = new double[sums.length];
            double[] largest = new double[sums.length];
            Arrays.fill(largest, Double.NEGATIVE_INFINITY);
            for (int i = 0; i < x.length; i++) {
                int to = i / (s[1] * s[2]) * s[2] + i % s[2];
                sums[to] += x[i];
                magnitudes[to] += Math.abs(x[i]);
                largest[to] = Math.max(largest[to], x[i]);
            }
            DeviceArray in = t.floats(x);
            DeviceArray y = t.output(sums.length);
            t.backend().reduce(ReduceOp.SUM, s[0], s[1], s[2], in, y);
            t.near("sum over the middle of " + Arrays.toString(s), y, sums, magnitudes, s[1]);
            t.backend().reduce(ReduceOp.MAX, s[0], s[1], s[2], in, y);
            t.equal("maximum over the middle of " + Arrays.toString(s), y, largest);
        }
    }

    /** The axes of a cube, turned around. */
    private static void arrange(Trial t) {
        for (int[] s : t.choose(new int[][] {{2, 3, 5}, {13, 31, 7}}, new int[][] {{2, 3, 5}, {97, 131, 33}})) {
            double[] x = t.normal(s[0] * s[1] * s[2]);
            double[] expected = new double[x.length];
            for (int i = 0; i < s[0]; i++) {
                for (int j = 0; j < s[1]; j++) {
                    for (int k = 0; k < s[2]; k++) {
                        expected[(k * s[1] + j) * s[0] + i] = x[(i * s[1] + j) * s[2] + k];
                    }
                }
            }
            DeviceArray y = t.output(x.length);
            int[] strides = {s[1] * s[2], s[2], 1};
            t.backend().arrange(s, t.floats(x), strides, y, new int[] {1, s[0], s[0] * s[1]});
            t.equal("transposition of " + Arrays.toString(s), y, expected);
        }
    }

    private static void rows(Trial t) {
        int[][] cases = t.choose(new int[][] {{5, 3, 17}, {31, 13, 207}}, new int[][] {{5, 3, 17}, {997, 130, 20_011}});
        for (int[] c : cases) {
            int table = c[0];
            int width = c[1];
            int count = c[2];
            double[] values = t.normal(table * width);
            double[] added = t.normal(count * width);
            int[] indices = t.integers(count, table);
            double[] gathered = new double[count * width];
            double[] sums = values.clone();
            double[] magnitudes = Arrays.stream(values).map(Math::abs).toArray();
            for (int i = 0; i < gathered.length; i++) {
                int at = indices[i / width] * width + i % width;
                gathered[i] = values[at];
                sums[at] += added[i];
                magnitudes[at] += Math.abs(added[i]);
            }
            DeviceArray on = t.floats(values);
            DeviceArray index = t.ints(indices);
            DeviceArray y = t.output(gathered.length);
            t.backend().gatherRows(on, width, index, y);
            t.equal("gather of " + count + " rows", y, gathered);
            t.backend().scatterAddRows(t.floats(added), width, index, on);
            t.near("scatter of " + count + " rows", on, sums, magnitudes, count);
        }
    }

    private static void uniform(Trial t) {
        for (int n : sizes(t)) {
            long seed = 0x123456789ABCDEFL + n;
            double[] expected = new double[n];
            Arrays.setAll(expected, i -> Philox.uniform(seed, 7, 5 + i));
            DeviceArray y = t.output(n);
            t.backend().uniform(new Draw(seed, 7, 5), y);
            t.equal(n + " uniform numbers", y, expected);
        }
    }

    /** The activation that {@code linear} fuses. */
    static double apply(Activation activation, double x) {
        return switch (activation) {
            case NONE -> x;
            case TANH -> Math.tanh(x);
            case RELU -> Math.max(x, 0);
            case SIGMOID -> 1 / (1 + Math.exp(-x));
        };
    }
}
