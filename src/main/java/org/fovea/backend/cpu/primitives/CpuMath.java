package org.fovea.backend.cpu.primitives;

import java.util.function.IntConsumer;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.Elements;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;

/** Checks the arguments of mathematical operations, cuts large ones into pieces and runs the {@link Kernels} on them. */
public abstract class CpuMath extends CpuMemory implements MathOps {
    /** Below this many floating-point operations, waking a thread costs more than it saves. */
    private static final long PARALLEL_FLOPS = 1_000_000;

    /** Elements of a map that one piece does. */
    private static final int MAP_CHUNK = 1 << 14;

    /** About what an element of a map costs. */
    static final long MAP_FLOPS = 16;

    public final Kernels kernels;
    public final Workers workers;

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
    public final void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        CpuArray from = hold(x);
        CpuArray to = hold(y);
        requireApartOrSame("cast", "y", to, "x", from);
        Elements.convert(from, to);
    }

    @Override
    public final void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
        requireApartOrSame("map", "y", to, "x", from);
        pieces((to.length + MAP_CHUNK - 1) / MAP_CHUNK, MAP_FLOPS * to.length, piece -> {
            int first = piece * MAP_CHUNK;
            int count = Math.min(MAP_CHUNK, to.length - first);
            kernels.map(op, from.floats, from.offset + first, to.floats, to.offset + first, count);
        });
    }

    @Override
    public final void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        CpuArray left = use(a);
        CpuArray right = use(b);
        CpuArray to = use(y);
        requireApartOrSame("zip", "y", to, "a", left);
        requireApartOrSame("zip", "y", to, "b", right);
        if (to.length > 0) {
            Broadcast.zip(kernels, op, Strided.of(shape, strideA, strideB, RowMajor.strides(shape)), left, right, to);
        }
    }

    @Override
    public final void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        CpuArray test = use(condition);
        CpuArray left = use(a);
        CpuArray right = use(b);
        CpuArray to = use(y);
        requireApartOrSame("select", "y", to, "condition", test);
        requireApartOrSame("select", "y", to, "a", left);
        requireApartOrSame("select", "y", to, "b", right);
        for (int i = 0; i < to.length; i++) {
            float yes = left.floats[left.offset + i];
            float no = right.floats[right.offset + i];
            to.floats[to.offset + i] = test.floats[test.offset + i] != 0 ? yes : no;
        }
    }

    @Override
    public final void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
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
        MathChecks.arrange(shape, x, strideX, y, strideY);
        CpuArray from = use(x);
        CpuArray to = use(y);
        requireApart("arrange", "y", to, "x", from);
        Strided walk = Strided.of(shape, strideX, strideY);
        if (walk.size() > 0) {
            Broadcast.arrange(walk, from, to);
        }
    }

    @Override
    public final void gemm(Gemm shape, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(shape, a, b, c);
        CpuArray left = use(a);
        CpuArray right = use(b);
        CpuArray to = use(c);
        int m = shape.m();
        int n = shape.n();
        requireApart("gemm", "c", to, "a", left);
        requireApart("gemm", "c", to, "b", right);
        if (m == 0 || n == 0) {
            return;
        }
        int blocks = (m + ROW_BLOCK - 1) / ROW_BLOCK;
        pieces(shape.batch() * blocks, 2L * shape.batch() * m * n * shape.k(), piece -> {
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
    static final int ROW_BLOCK = 192;

    @Override
    public final void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathChecks.gatherRows(table, width, indices, y);
        CpuArray from = use(table);
        CpuArray rows = use(indices);
        CpuArray to = use(y);
        int tableRows = from.length / width;
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
        MathChecks.scatterAddRows(x, width, indices, table);
        CpuArray from = use(x);
        CpuArray rows = use(indices);
        CpuArray to = use(table);
        int tableRows = to.length / width;
        requireApart("scatterAddRows", "table", to, "x", from);
        for (int i = 0; i < rows.length; i++) {
            int row = requireRow("scatterAddRows", rows.ints[rows.offset + i], i, tableRows);
            for (int j = 0; j < width; j++) {
                to.floats[to.offset + row * width + j] += from.floats[from.offset + i * width + j];
            }
        }
    }

    private static int requireRow(String operation, int row, int position, int rows) {
        if (row < 0 || row >= rows) {
            throw new IndexOutOfBoundsException(operation + ": index " + row + " at position " + position
                    + " is not in a table of " + rows + " rows");
        }
        return row;
    }

    @Override
    public final void iota(double start, double step, DeviceArray y) {
        CpuArray to = use(y);
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
    public final void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        CpuArray to = use(y);
        Philox.fill(draw.seed(), stream(draw), draw.first(), to.floats, to.offset, to.length);
    }

    /** The stream that is drawn from now. */
    final long stream(RandomRange draw) {
        DeviceArray counter = draw.counter();
        if (counter == null) {
            return draw.stream();
        }
        CpuArray added = use(counter);
        return draw.stream() + added.ints[added.offset];
    }
}
