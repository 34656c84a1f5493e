package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/** What the operations of {@link MathOps} ask of their operands. Each throws {@link ShapeException} if it is not so. */
public final class MathShapes {

    private MathShapes() {}

    /** Operands of {@link Memory#copy}. */
    public static void copy(DeviceArray source, DeviceArray target) {
        Shapes.sameType("copy", source, target);
        Shapes.sameLength("copy", "source", source, "target", target);
    }

    /** Operands of {@link MathOps#cast}. */
    public static void cast(DeviceArray x, DeviceArray y) {
        Shapes.floating("cast", "x", x);
        Shapes.floating("cast", "y", y);
        Shapes.sameLength("cast", "x", x, "y", y);
    }

    /** Operands of {@link MathOps#map}. */
    public static void map(DeviceArray x, DeviceArray y) {
        Shapes.floating("map", "x", x);
        Shapes.floating("map", "y", y);
        Shapes.sameLength("map", "x", x, "y", y);
    }

    /** Operands of {@link MathOps#zip}. */
    public static void zip(int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        Shapes.strided("zip", "a", a, shape, strideA);
        Shapes.strided("zip", "b", b, shape, strideB);
        Shapes.floats("zip", "y", y, shape);
    }

    /** Operands of {@link MathOps#select}. */
    public static void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        Shapes.floating("select", "condition", condition);
        Shapes.floating("select", "a", a);
        Shapes.floating("select", "b", b);
        Shapes.floating("select", "y", y);
        Shapes.sameLength("select", "condition", condition, "y", y);
        Shapes.sameLength("select", "a", a, "y", y);
        Shapes.sameLength("select", "b", b, "y", y);
    }

    /** Operands of {@link MathOps#reduce}. */
    public static void reduce(int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        Shapes.floats("reduce", "x", x, outer, reduced, inner);
        Shapes.floats("reduce", "y", y, outer, inner);
    }

    /** Operands of {@link MathOps#arrange}. */
    public static void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        Shapes.sameType("arrange", x, y);
        Shapes.strided("arrange", "x", x, shape, strideX);
        Shapes.strided("arrange", "y", y, shape, strideY);
    }

    /** Operands of {@link MathOps#gemm}. */
    public static void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        Shapes.extents("gemm", g.m(), g.n(), g.k(), g.batch());
        matrix("a", a, g, g.transposeA() ? g.k() : g.m(), g.transposeA() ? g.m() : g.k(), g.lda(), g.strideA());
        matrix("b", b, g, g.transposeB() ? g.n() : g.k(), g.transposeB() ? g.k() : g.n(), g.ldb(), g.strideB());
        matrix("c", c, g, g.m(), g.n(), g.ldc(), g.strideC());
    }

    private static void matrix(String name, DeviceArray array, Gemm g, int rows, int columns, int ld, long stride) {
        Shapes.floating("gemm", name, array);
        if (ld < columns || stride < 0) {
            throw new ShapeException(
                    "gemm",
                    "ld" + name + " is " + ld + " and its batch stride " + stride + ", expected at least " + columns
                            + " and 0 in " + g);
        }
        if (rows == 0 || columns == 0 || g.batch() == 0) {
            return;
        }
        long needed = (g.batch() - 1) * stride + (long) (rows - 1) * ld + columns;
        if (array.length() < needed) {
            throw new ShapeException(
                    "gemm", name + " has " + array.length() + " elements, expected at least " + needed + " for " + g);
        }
    }

    /** Operands of {@link MathOps#gatherRows}. */
    public static void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        Shapes.sameType("gatherRows", table, y);
        rows("gatherRows", table, width, indices, "y", y);
    }

    /** Operands of {@link MathOps#scatterAddRows}. */
    public static void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        Shapes.floating("scatterAddRows", "x", x);
        Shapes.sameType("scatterAddRows", x, table);
        rows("scatterAddRows", table, width, indices, "x", x);
    }

    private static void rows(
            String operation, DeviceArray table, int width, DeviceArray indices, String name, DeviceArray rows) {
        Shapes.ints(operation, "indices", indices, Math.toIntExact(indices.length()));
        if (width < 1 || table.length() % width != 0) {
            throw new ShapeException(
                    operation, "table has " + table.length() + " elements, expected a multiple of the width " + width);
        }
        Shapes.length(operation, name, rows, Math.toIntExact(indices.length()), width);
    }

    /** Operands of {@link MathOps#linear}. */
    public static void linear(
            int rows, int in, int out, DeviceArray x, DeviceArray weight, @Nullable DeviceArray bias, DeviceArray y) {
        Shapes.floats("linear", "x", x, rows, in);
        Shapes.floats("linear", "weight", weight, in, out);
        if (bias != null) {
            Shapes.floats("linear", "bias", bias, out);
        }
        Shapes.floats("linear", "y", y, rows, out);
    }

    /** Operands of {@link MathOps#softmax} and {@link MathOps#logSoftmax}, which {@code operation} names. */
    public static void softmax(String operation, int rows, int width, DeviceArray x, DeviceArray y) {
        Shapes.floats(operation, "x", x, rows, width);
        Shapes.floats(operation, "y", y, rows, width);
    }

    /** Operands of {@link MathOps#layerNorm}. */
    public static void layerNorm(
            int rows,
            int width,
            DeviceArray x,
            DeviceArray gain,
            DeviceArray bias,
            DeviceArray y,
            DeviceArray mean,
            DeviceArray reciprocalStd) {
        Shapes.floats("layerNorm", "x", x, rows, width);
        Shapes.floats("layerNorm", "gain", gain, width);
        Shapes.floats("layerNorm", "bias", bias, width);
        Shapes.floats("layerNorm", "y", y, rows, width);
        Shapes.floats("layerNorm", "mean", mean, rows);
        Shapes.floats("layerNorm", "reciprocalStd", reciprocalStd, rows);
    }

    /** Operands of {@link MathOps#layerNormBackward}. */
    public static void layerNormBackward(
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
        Shapes.floats("layerNormBackward", "x", x, rows, width);
        Shapes.floats("layerNormBackward", "gain", gain, width);
        Shapes.floats("layerNormBackward", "mean", mean, rows);
        Shapes.floats("layerNormBackward", "reciprocalStd", reciprocalStd, rows);
        Shapes.floats("layerNormBackward", "dy", dy, rows, width);
        Shapes.floats("layerNormBackward", "dx", dx, rows, width);
        Shapes.floats("layerNormBackward", "dGain", dGain, width);
        Shapes.floats("layerNormBackward", "dBias", dBias, width);
    }

    /** Operands of {@link MathOps#rotary}. */
    public static void rotary(
            int rows, int heads, int headDim, int sign, DeviceArray x, DeviceArray positions, DeviceArray y) {
        if (headDim % 2 != 0) {
            throw new ShapeException("rotary", "headDim must be even: " + headDim);
        }
        if (sign != 1 && sign != -1) {
            throw new IllegalArgumentException("rotary: sign must be 1 or -1: " + sign);
        }
        Shapes.floats("rotary", "x", x, rows, heads, headDim);
        Shapes.ints("rotary", "positions", positions, rows);
        Shapes.floats("rotary", "y", y, rows, heads, headDim);
    }

    /** Operands of {@link MathOps#uniform}. */
    public static void uniform(Draw draw, DeviceArray y) {
        Shapes.floating("uniform", "y", y);
        counter("uniform", draw);
    }

    static void counter(String operation, Draw draw) {
        DeviceArray counter = draw.counter();
        if (counter != null) {
            Shapes.ints(operation, "counter", counter, 1);
        }
    }

    /** Operands of {@link MathOps#standardize}. */
    public static void standardize(DeviceArray x, DeviceArray y) {
        Shapes.floating("standardize", "x", x);
        Shapes.floating("standardize", "y", y);
        Shapes.sameLength("standardize", "x", x, "y", y);
    }
}
