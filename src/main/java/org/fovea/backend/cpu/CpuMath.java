package org.fovea.backend.cpu;

import java.util.Arrays;
import java.util.function.IntConsumer;
import org.fovea.backend.Activation;
import org.fovea.backend.BinaryOp;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Gemm;
import org.fovea.backend.MathOps;
import org.fovea.backend.Philox;
import org.fovea.backend.ReduceOp;
import org.fovea.backend.ShapeException;
import org.fovea.backend.UnaryOp;
import org.jspecify.annotations.Nullable;

/** Checks the arguments of mathematical operations, cuts large ones into pieces and runs the {@link Kernels} on them. */
abstract class CpuMath extends CpuMemory implements MathOps {
    /** Below this many floating-point operations, waking a thread costs more than it saves. */
    private static final long PARALLEL_FLOPS = 400_000;

    final Kernels kernels;
    final Workers workers;

    CpuMath(Kernels kernels, Workers workers) {
        this.kernels = kernels;
        this.workers = workers;
    }

    /** Runs {@code count} pieces, on several threads if the work is worth it. The cut must not depend on threads. */
    final void pieces(int count, long flops, IntConsumer piece) {
        if (count > 1 && flops >= PARALLEL_FLOPS && workers.idle()) {
            workers.run(count, piece);
        } else {
            for (int i = 0; i < count; i++) {
                piece.accept(i);
            }
        }
    }

    @Override
    public final void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        CpuArray to = resolve("map", "y", DType.F32, y);
        CpuArray from = floats("map", "x", x, to.length);
        requireApartOrSame("map", "y", to, "x", from);
        kernels.map(op, from.floats, from.offset, to.floats, to.offset, to.length);
    }

    @Override
    public final void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        CpuArray left = resolve("zip", "a", a.dtype(), a);
        CpuArray right = resolve("zip", "b", b.dtype(), b);
        CpuArray to = floats("zip", "y", y, shape);
        Strided walk = Strided.of("zip", shape, strideA, strideB, Strided.dense(shape));
        requireReach("zip", "a", left, walk, 0, shape, strideA);
        requireReach("zip", "b", right, walk, 1, shape, strideB);
        requireApartOrSame("zip", "y", to, "a", left);
        requireApartOrSame("zip", "y", to, "b", right);
        if (to.length > 0) {
            Broadcast.zip(kernels, op, walk, left, right, to);
        }
    }

    @Override
    public final void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        CpuArray to = resolve("select", "y", y.dtype(), y);
        CpuArray test = resolve("select", "condition", condition.dtype(), condition);
        CpuArray left = resolve("select", "a", to.dtype(), a);
        CpuArray right = resolve("select", "b", to.dtype(), b);
        if (test.length != to.length || left.length != to.length || right.length != to.length) {
            throw new ShapeException(
                    "select",
                    "lengths differ: condition " + test + ", a " + left + ", b " + right + ", y " + to);
        }
        requireApartOrSame("select", "y", to, "condition", test);
        requireApartOrSame("select", "y", to, "a", left);
        requireApartOrSame("select", "y", to, "b", right);
        for (int i = 0; i < to.length; i++) {
            boolean first = test.dtype() == DType.I32
                    ? test.ints[test.offset + i] != 0
                    : test.floats[test.offset + i] != 0;
            CpuArray chosen = first ? left : right;
            if (to.dtype() == DType.I32) {
                to.ints[to.offset + i] = chosen.ints[chosen.offset + i];
            } else {
                to.floats[to.offset + i] = chosen.floats[chosen.offset + i];
            }
        }
    }

    @Override
    public final void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        CpuArray from = floats("reduce", "x", x, outer, reduced, inner);
        CpuArray to = floats("reduce", "y", y, outer, inner);
        requireApart("reduce", "y", to, "x", from);
        for (int o = 0; o < outer; o++) {
            kernels.reduce(
                    op,
                    reduced,
                    inner,
                    from.floats,
                    from.offset + o * reduced * inner,
                    to.floats,
                    to.offset + o * inner);
        }
    }

    @Override
    public final void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        CpuArray from = resolve("arrange", "x", x.dtype(), x);
        CpuArray to = resolve("arrange", "y", x.dtype(), y);
        Strided walk = Strided.of("arrange", shape, strideX, strideY);
        requireReach("arrange", "x", from, walk, 0, shape, strideX);
        requireReach("arrange", "y", to, walk, 1, shape, strideY);
        requireApart("arrange", "y", to, "x", from);
        if (walk.size() > 0) {
            Broadcast.arrange(walk, from, to);
        }
    }

    @Override
    public final void gemm(Gemm shape, DeviceArray a, DeviceArray b, DeviceArray c) {
        CpuArray left = resolve("gemm", "a", DType.F32, a);
        CpuArray right = resolve("gemm", "b", DType.F32, b);
        CpuArray to = resolve("gemm", "c", DType.F32, c);
        int m = shape.m();
        int n = shape.n();
        int k = shape.k();
        requireMatrix(shape, "a", left, shape.transposeA() ? k : m, shape.transposeA() ? m : k, shape.lda(), shape.strideA());
        requireMatrix(shape, "b", right, shape.transposeB() ? n : k, shape.transposeB() ? k : n, shape.ldb(), shape.strideB());
        requireMatrix(shape, "c", to, m, n, shape.ldc(), shape.strideC());
        requireApart("gemm", "c", to, "a", left);
        requireApart("gemm", "c", to, "b", right);
        if (m == 0 || n == 0) {
            return;
        }
        int blocks = (m + ROW_BLOCK - 1) / ROW_BLOCK;
        pieces(shape.batch() * blocks, 2L * shape.batch() * m * n * k, piece -> {
            int firstRow = piece % blocks * ROW_BLOCK;
            kernels.gemm(
                    shape,
                    piece / blocks,
                    firstRow,
                    Math.min(m, firstRow + ROW_BLOCK),
                    left.floats,
                    left.offset,
                    right.floats,
                    right.offset,
                    to.floats,
                    to.offset);
        });
    }

    /** Rows of a product that one piece computes; every element's sum is the same whatever the cut. */
    private static final int ROW_BLOCK = 192;

    private static void requireMatrix(
            Gemm shape, String name, CpuArray array, int rows, int columns, int stride, long batchStride) {
        if (rows < 0 || columns < 0 || shape.batch() < 0 || stride < columns || batchStride < 0) {
            throw new ShapeException(
                    "gemm", "extents must not be negative, nor a row's stride shorter than the row: " + shape);
        }
        if (rows == 0 || columns == 0 || shape.batch() == 0) {
            return;
        }
        long reach = (shape.batch() - 1) * batchStride + (rows - 1L) * stride + columns;
        if (reach > array.length) {
            throw new ShapeException(
                    "gemm", name + " is " + array + ", expected at least " + reach + " elements for " + shape);
        }
    }

    @Override
    public final void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        CpuArray from = resolve("gatherRows", "table", table.dtype(), table);
        CpuArray rows = resolve("gatherRows", "indices", DType.I32, indices);
        CpuArray to = resolve("gatherRows", "y", from.dtype(), y);
        int tableRows = requireRows("gatherRows", width, from, rows, to);
        requireApart("gatherRows", "y", to, "table", from);
        boolean integers = from.dtype() == DType.I32;
        for (int i = 0; i < rows.length; i++) {
            int row = requireRow("gatherRows", rows.ints[rows.offset + i], i, tableRows);
            System.arraycopy(
                    integers ? from.ints : from.floats,
                    from.offset + row * width,
                    integers ? to.ints : to.floats,
                    to.offset + i * width,
                    width);
        }
    }

    @Override
    public final void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        CpuArray from = resolve("scatterAddRows", "x", DType.F32, x);
        CpuArray rows = resolve("scatterAddRows", "indices", DType.I32, indices);
        CpuArray to = resolve("scatterAddRows", "table", DType.F32, table);
        int tableRows = requireRows("scatterAddRows", width, to, rows, from);
        requireApart("scatterAddRows", "table", to, "x", from);
        for (int i = 0; i < rows.length; i++) {
            int row = requireRow("scatterAddRows", rows.ints[rows.offset + i], i, tableRows);
            for (int j = 0; j < width; j++) {
                to.floats[to.offset + row * width + j] += from.floats[from.offset + i * width + j];
            }
        }
    }

    private static int requireRows(String operation, int width, CpuArray table, CpuArray indices, CpuArray rows) {
        if (width < 1 || table.length % width != 0 || rows.length != (long) indices.length * width) {
            throw new ShapeException(
                    operation,
                    "rows of width " + width + " from table " + table + " with indices " + indices + " do not fit "
                            + rows);
        }
        return table.length / width;
    }

    private static int requireRow(String operation, int row, int position, int rows) {
        if (row < 0 || row >= rows) {
            throw new IndexOutOfBoundsException(
                    operation + ": index " + row + " at position " + position + " is not in a table of " + rows
                            + " rows");
        }
        return row;
    }

    @Override
    public final void iota(double start, double step, DeviceArray y) {
        CpuArray to = resolve("iota", "y", y.dtype(), y);
        for (int i = 0; i < to.length; i++) {
            double value = start + i * step;
            if (to.dtype() == DType.I32) {
                to.ints[to.offset + i] = (int) value;
            } else {
                to.floats[to.offset + i] = (float) value;
            }
        }
    }

    @Override
    public final void uniform(long seed, long stream, long first, DeviceArray y) {
        CpuArray to = resolve("uniform", "y", DType.F32, y);
        for (int i = 0; i < to.length; i++) {
            to.floats[to.offset + i] = Philox.uniform(seed, stream, first + i);
        }
    }

    @Override
    public final void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        CpuArray from = floats("linear", "x", x, rows, in);
        CpuArray w = floats("linear", "weight", weight, in, out);
        CpuArray shift = bias == null ? null : floats("linear", "bias", bias, out);
        CpuArray to = floats("linear", "y", y, rows, out);
        requireApart("linear", "y", to, "x", from);
        requireApart("linear", "y", to, "weight", w);
        int blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
        pieces(blocks, 2L * rows * in * out, block -> {
            int first = block * ROW_BLOCK;
            kernels.linear(
                    Math.min(ROW_BLOCK, rows - first),
                    in,
                    out,
                    from.floats,
                    from.offset + first * in,
                    w.floats,
                    w.offset,
                    shift == null ? null : shift.floats,
                    shift == null ? 0 : shift.offset,
                    activation,
                    to.floats,
                    to.offset + first * out);
        });
    }

    @Override
    public final void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        CpuArray from = floats("softmax", "x", x, rows, width);
        CpuArray to = floats("softmax", "y", y, rows, width);
        requireApartOrSame("softmax", "y", to, "x", from);
        kernels.softmax(rows, width, from.floats, from.offset, to.floats, to.offset);
    }

    @Override
    public final void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        CpuArray from = floats("logSoftmax", "x", x, rows, width);
        CpuArray to = floats("logSoftmax", "y", y, rows, width);
        requireApartOrSame("logSoftmax", "y", to, "x", from);
        kernels.logSoftmax(rows, width, from.floats, from.offset, to.floats, to.offset);
    }

    private static void requireReach(
            String operation, String name, CpuArray array, Strided walk, int operand, int[] shape, int[] strides) {
        long reach = walk.reach(operand);
        if (reach > array.length) {
            throw new ShapeException(
                    operation,
                    name + " is " + array + ", but shape " + Arrays.toString(shape) + " with strides "
                            + Arrays.toString(strides) + " reaches " + reach + " elements");
        }
    }
}
