// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import java.util.List;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.OperandChecks;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** Checks of the operands of {@link MathOps}. Each throws {@link ShapeException} where lengths are not as they must be. */
public final class MathChecks {

    private MathChecks() {}

    /** Operands of {@link MathOps#cast}. */
    public static void cast(DeviceArray x, DeviceArray y) {
        OperandChecks.floating("cast", "x", x);
        OperandChecks.floating("cast", "y", y);
        OperandChecks.sameLength("cast", "x", x, "y", y);
    }

    /** Operands of {@link MathOps#map}. */
    public static void map(DeviceArray x, DeviceArray y) {
        OperandChecks.floating("map", "x", x);
        OperandChecks.floating("map", "y", y);
        OperandChecks.sameLength("map", "x", x, "y", y);
    }

    /** Operands of {@link MathOps#zip}. */
    public static void zip(int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        OperandChecks.strided("zip", "a", a, shape, strideA);
        OperandChecks.strided("zip", "b", b, shape, strideB);
        OperandChecks.floats("zip", "y", y, shape);
    }

    /** Operands of {@link MathOps#select}. */
    public static void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        OperandChecks.floating("select", "condition", condition);
        OperandChecks.floating("select", "a", a);
        OperandChecks.floating("select", "b", b);
        OperandChecks.floating("select", "y", y);
        OperandChecks.sameLength("select", "condition", condition, "y", y);
        OperandChecks.sameLength("select", "a", a, "y", y);
        OperandChecks.sameLength("select", "b", b, "y", y);
    }

    /** Operands of {@link MathOps#reduce}. */
    public static void reduce(int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        OperandChecks.floats("reduce", "x", x, outer, reduced, inner);
        OperandChecks.floats("reduce", "y", y, outer, inner);
    }

    /** Operands of {@link MathOps#arrange}. */
    public static void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        OperandChecks.sameType("arrange", x, y);
        OperandChecks.strided("arrange", "x", x, shape, strideX);
        OperandChecks.strided("arrange", "y", y, shape, strideY);
    }

    /** Operands of {@link MathOps#accumulate}. */
    public static void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        OperandChecks.floating("accumulate", "x", x);
        OperandChecks.sameType("accumulate", x, y);
        OperandChecks.strided("accumulate", "x", x, shape, strideX);
        OperandChecks.strided("accumulate", "y", y, shape, strideY);
    }

    /** Operands of {@link MathOps#gemm}. */
    public static void gemm(Gemm g, DeviceArray a, DeviceArray b, DeviceArray c) {
        OperandChecks.extents("gemm", g.m(), g.n(), g.k(), g.batch());
        matrix("a", a, g, g.transposeA() ? g.k() : g.m(), g.transposeA() ? g.m() : g.k(), g.lda(), g.strideA());
        matrix("b", b, g, g.transposeB() ? g.n() : g.k(), g.transposeB() ? g.k() : g.n(), g.ldb(), g.strideB());
        matrix("c", c, g, g.m(), g.n(), g.ldc(), g.strideC());
    }

    private static void matrix(String name, DeviceArray array, Gemm g, int rows, int columns, int ld, long stride) {
        OperandChecks.floating("gemm", name, array);
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
        OperandChecks.sameType("gatherRows", table, y);
        rows("gatherRows", table, width, indices, "y", y);
    }

    /** Operands of {@link MathOps#placeRows}. */
    public static void placeRows(RowPlaces places, List<TableRows> tables) {
        int count = Math.toIntExact(places.indices().length());
        if (places.units() != null) {
            OperandChecks.ints("placeRows", "units", places.units(), count);
        }
        if (places.extent() < 0 || places.stride() < 0 || places.wraps() && places.extent() == 0) {
            throw new ShapeException(
                    "placeRows", "units of " + places.extent() + " rows, " + places.stride() + " from one to the next");
        }
        for (TableRows of : tables) {
            OperandChecks.sameType("placeRows", of.table(), of.rows());
            rows("placeRows", of.table(), of.width(), places.indices(), "rows", of.rows());
        }
    }

    /** Operands of {@link MathOps#scatterAddRows}. */
    public static void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        OperandChecks.floating("scatterAddRows", "x", x);
        OperandChecks.sameType("scatterAddRows", x, table);
        rows("scatterAddRows", table, width, indices, "x", x);
    }

    private static void rows(
            String operation, DeviceArray table, int width, DeviceArray indices, String name, DeviceArray rows) {
        OperandChecks.ints(operation, "indices", indices, Math.toIntExact(indices.length()));
        if (width < 1 || table.length() % width != 0) {
            throw new ShapeException(
                    operation, "table has " + table.length() + " elements, expected a multiple of the width " + width);
        }
        OperandChecks.length(operation, name, rows, Math.toIntExact(indices.length()), width);
    }

    /** Operands of {@link MathOps#linear}. */
    public static void linear(
            int rows, int in, int out, DeviceArray x, DeviceArray weight, @Nullable DeviceArray bias, DeviceArray y) {
        OperandChecks.floats("linear", "x", x, rows, in);
        OperandChecks.floats("linear", "weight", weight, in, out);
        if (bias != null) {
            OperandChecks.floats("linear", "bias", bias, out);
        }
        OperandChecks.floats("linear", "y", y, rows, out);
    }

    /** Operands of {@link MathOps#linearBackward}. */
    public static void linearBackward(LinearGradients<DeviceArray> args) {
        String operation = "linearBackward";
        int rows = args.rows();
        int in = args.in();
        int out = args.out();
        OperandChecks.floats(operation, "x", args.x(), rows, in);
        OperandChecks.floats(operation, "weight", args.weight(), in, out);
        OperandChecks.floats(operation, "dy", args.dy(), rows, out);
        if (args.added() != null) {
            OperandChecks.floats(operation, "added", args.added(), rows, in);
        }
        if (args.dx() != null) {
            OperandChecks.floats(operation, "dx", args.dx(), rows, in);
        }
        if (args.dWeight() != null) {
            OperandChecks.floats(operation, "dWeight", args.dWeight(), in, out);
        }
        if (args.dBias() != null) {
            OperandChecks.floats(operation, "dBias", args.dBias(), out);
        }
    }

    /** Operands of {@link MathOps#softmax} and {@link MathOps#logSoftmax}, which {@code operation} names. */
    public static void softmax(String operation, int rows, int width, DeviceArray x, DeviceArray y) {
        OperandChecks.floats(operation, "x", x, rows, width);
        OperandChecks.floats(operation, "y", y, rows, width);
    }

    /** Operands of {@link MathOps#layerNorm}. */
    public static void layerNorm(LayerNormArgs<DeviceArray> args, DeviceArray bias, DeviceArray y) {
        layerNormArgs("layerNorm", args);
        OperandChecks.floats("layerNorm", "bias", bias, args.width());
        OperandChecks.floats("layerNorm", "y", y, args.rows(), args.width());
    }

    /** Operands of {@link MathOps#layerNormBackward}. */
    public static void layerNormBackward(
            LayerNormArgs<DeviceArray> args, DeviceArray dy, DeviceArray dx, DeviceArray dGain, DeviceArray dBias) {
        layerNormArgs("layerNormBackward", args);
        OperandChecks.floats("layerNormBackward", "dy", dy, args.rows(), args.width());
        OperandChecks.floats("layerNormBackward", "dx", dx, args.rows(), args.width());
        OperandChecks.floats("layerNormBackward", "dGain", dGain, args.width());
        OperandChecks.floats("layerNormBackward", "dBias", dBias, args.width());
    }

    private static void layerNormArgs(String operation, LayerNormArgs<DeviceArray> args) {
        OperandChecks.floats(operation, "x", args.x(), args.rows(), args.width());
        OperandChecks.floats(operation, "gain", args.gain(), args.width());
        OperandChecks.floats(operation, "mean", args.mean(), args.rows());
        OperandChecks.floats(operation, "reciprocalStd", args.reciprocalStd(), args.rows());
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
        OperandChecks.floats("rotary", "x", x, rows, heads, headDim);
        OperandChecks.ints("rotary", "positions", positions, rows);
        OperandChecks.floats("rotary", "y", y, rows, heads, headDim);
    }

    /** Operands of {@link MathOps#uniform}. */
    public static void uniform(RandomRange draw, DeviceArray y) {
        OperandChecks.floating("uniform", "y", y);
        counter("uniform", draw);
    }

    public static void counter(String operation, RandomRange draw) {
        DeviceArray counter = draw.counter();
        if (counter != null) {
            OperandChecks.ints(operation, "counter", counter, 1);
        }
    }

    /** Operands of {@link MathOps#standardize}. */
    public static void standardize(DeviceArray x, DeviceArray y) {
        OperandChecks.floating("standardize", "x", x);
        OperandChecks.floating("standardize", "y", y);
        OperandChecks.sameLength("standardize", "x", x, "y", y);
    }
}
