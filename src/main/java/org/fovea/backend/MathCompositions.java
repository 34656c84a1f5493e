package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/** The fused members of {@link MathOps} from its primitives. */
final class MathCompositions {
    private MathCompositions() {}

    static void linear(
            MathOps b,
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathShapes.linear(rows, in, out, x, weight, bias, y);
        b.gemm(Gemm.dense(false, false, rows, out, in), x, weight, y);
        if (bias != null) {
            b.zip(BinaryOp.ADD, new int[] {rows, out}, y, new int[] {out, 1}, bias, new int[] {0, 1}, y);
        }
        switch (activation) {
            case NONE -> {}
            case TANH -> b.map(UnaryOp.TANH, y, y);
            case RELU -> b.map(UnaryOp.RELU, y, y);
            case SIGMOID -> b.map(UnaryOp.SIGMOID, y, y);
        }
    }

    static void softmax(MathOps b, int rows, int width, DeviceArray x, DeviceArray y) {
        MathShapes.softmax("softmax", rows, width, x, y);
        try (Formula f = new Formula(b)) {
            DeviceArray max = f.reduceRows(ReduceOp.MAX, rows, width, x);
            DeviceArray finiteMax =
                    f.select(f.zip(BinaryOp.EQUAL, max, Double.NEGATIVE_INFINITY), f.constant(0, rows), max);
            DeviceArray exp = f.map(UnaryOp.EXP, f.zipRows(BinaryOp.SUBTRACT, rows, width, x, finiteMax));
            DeviceArray sum = f.reduceRows(ReduceOp.SUM, rows, width, exp);
            DeviceArray divisor = f.select(f.zip(BinaryOp.EQUAL, sum, 0), f.constant(1, rows), sum);
            b.copy(f.zipRows(BinaryOp.DIVIDE, rows, width, exp, divisor), y);
        }
    }

    static void logSoftmax(MathOps b, int rows, int width, DeviceArray x, DeviceArray y) {
        MathShapes.softmax("logSoftmax", rows, width, x, y);
        try (Formula f = new Formula(b)) {
            DeviceArray max = f.reduceRows(ReduceOp.MAX, rows, width, x);
            DeviceArray shifted = f.zipRows(BinaryOp.SUBTRACT, rows, width, x, max);
            DeviceArray sum = f.reduceRows(ReduceOp.SUM, rows, width, f.map(UnaryOp.EXP, shifted));
            b.copy(f.zipRows(BinaryOp.SUBTRACT, rows, width, shifted, f.map(UnaryOp.LOG, sum)), y);
        }
    }

    static void layerNorm(
            MathOps b,
            int rows,
            int width,
            float epsilon,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray bias,
            DeviceArray y,
            DeviceArray mean,
            DeviceArray reciprocalStd) {
        MathShapes.layerNorm(rows, width, x, gain, bias, y, mean, reciprocalStd);
        try (Formula f = new Formula(b)) {
            b.copy(mean(f, rows, width, x), mean);
            DeviceArray centred = f.zipRows(BinaryOp.SUBTRACT, rows, width, x, mean);
            DeviceArray variance = mean(f, rows, width, f.map(UnaryOp.SQUARE, centred));
            b.map(UnaryOp.RSQRT, f.zip(BinaryOp.ADD, variance, epsilon), reciprocalStd);
            DeviceArray normal = f.zipRows(BinaryOp.MULTIPLY, rows, width, centred, reciprocalStd);
            DeviceArray scaled = f.zipColumns(BinaryOp.MULTIPLY, rows, width, normal, gain);
            b.copy(f.zipColumns(BinaryOp.ADD, rows, width, scaled, bias), y);
        }
    }

    private static DeviceArray mean(Formula f, int rows, int width, DeviceArray x) {
        return f.zip(BinaryOp.DIVIDE, f.reduceRows(ReduceOp.SUM, rows, width, x), width);
    }

    /**
     * With {@code n = (x - mean) reciprocalStd} and {@code dn = dy gain}: {@code dx = reciprocalStd (dn - mean(dn) - n
     * mean(dn n))}, {@code dGain = sum dy n}, {@code dBias = sum dy}.
     */
    static void layerNormBackward(
            MathOps b,
            int rows,
            int width,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray mean,
            DeviceArray reciprocalStd,
            DeviceArray dy,
            DeviceArray dx,
            DeviceArray dGain,
            DeviceArray dBias) {
        MathShapes.layerNormBackward(rows, width, x, gain, mean, reciprocalStd, dy, dx, dGain, dBias);
        try (Formula f = new Formula(b)) {
            DeviceArray centred = f.zipRows(BinaryOp.SUBTRACT, rows, width, x, mean);
            DeviceArray normal = f.zipRows(BinaryOp.MULTIPLY, rows, width, centred, reciprocalStd);
            DeviceArray dNormal = f.zipColumns(BinaryOp.MULTIPLY, rows, width, dy, gain);
            DeviceArray alongNormal = mean(f, rows, width, f.zip(BinaryOp.MULTIPLY, dNormal, normal));
            DeviceArray projected = f.zip(
                    BinaryOp.SUBTRACT,
                    f.zipRows(BinaryOp.SUBTRACT, rows, width, dNormal, mean(f, rows, width, dNormal)),
                    f.zipRows(BinaryOp.MULTIPLY, rows, width, normal, alongNormal));
            b.copy(f.zipRows(BinaryOp.MULTIPLY, rows, width, projected, reciprocalStd), dx);
            b.reduce(ReduceOp.SUM, 1, rows, width, f.zip(BinaryOp.MULTIPLY, dy, normal), dGain);
            b.reduce(ReduceOp.SUM, 1, rows, width, dy, dBias);
        }
    }

    static void rotary(
            MathOps b,
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        MathShapes.rotary(rows, heads, headDim, sign, x, positions, y);
        if (x.length() == 0) {
            return;
        }
        int half = headDim / 2;
        try (Formula f = new Formula(b)) {
            DeviceArray frequencies = f.empty(half);
            for (int i = 0; i < half; i++) {
                // Computed on the host: in float32 the error of an angle is multiplied by the position. Not uploaded,
                // which a captured step could not do.
                b.fill(frequencies.slice(i, 1), sign * Math.pow(base, -2.0 * i / headDim));
            }
            DeviceArray angles = f.zip(
                    BinaryOp.MULTIPLY, new int[] {rows, half}, positions, new int[] {1, 0}, frequencies, new int[] {0, 1
                    });
            DeviceArray cos = f.map(UnaryOp.COS, angles);
            DeviceArray sin = f.map(UnaryOp.SIN, angles);

            int[] shape = {rows, heads, half};
            int[] strides = {heads * headDim, headDim, 1};
            int[] perRow = {half, 0, 1};
            DeviceArray second = x.slice(half, x.length() - half);
            DeviceArray turnedFirst = f.zip(
                    BinaryOp.SUBTRACT,
                    f.zip(BinaryOp.MULTIPLY, shape, x, strides, cos, perRow),
                    f.zip(BinaryOp.MULTIPLY, shape, second, strides, sin, perRow));
            DeviceArray turnedSecond = f.zip(
                    BinaryOp.ADD,
                    f.zip(BinaryOp.MULTIPLY, shape, x, strides, sin, perRow),
                    f.zip(BinaryOp.MULTIPLY, shape, second, strides, cos, perRow));
            b.arrange(shape, turnedFirst, Formula.rowMajor(shape), y, strides);
            b.arrange(shape, turnedSecond, Formula.rowMajor(shape), y.slice(half, y.length() - half), strides);
        }
    }

    static void standardize(MathOps b, float epsilon, DeviceArray x, DeviceArray y) {
        MathShapes.standardize(x, y);
        int length = Math.toIntExact(x.length());
        try (Formula f = new Formula(b)) {
            DeviceArray centred = f.zipRows(BinaryOp.SUBTRACT, 1, length, x, mean(f, 1, length, x));
            DeviceArray variance = mean(f, 1, length, f.map(UnaryOp.SQUARE, centred));
            DeviceArray divisor = f.zip(BinaryOp.ADD, f.map(UnaryOp.SQRT, variance), epsilon);
            b.copy(f.zipRows(BinaryOp.DIVIDE, 1, length, centred, divisor), y);
        }
    }
}
