// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import static org.fovea.backend.cpu.memory.CpuArray.requireApart;
import static org.fovea.backend.cpu.memory.CpuArray.requireApartOrSame;

import java.util.List;
import java.util.function.IntConsumer;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.Elements;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.MathChecks;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.math.RowPlaces;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.math.TableRows;
import org.fovea.backend.math.UnaryOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;
import org.jspecify.annotations.Nullable;

/** Checks the arguments of mathematical operations, cuts large ones into pieces and runs the {@link Kernels} on them. */
public final class CpuMath implements MathOps {
    /** Elements of a map that one piece does. */
    private static final int MAP_CHUNK = 1 << 14;

    /** About what an element of a map costs. */
    private static final long MAP_FLOPS = 16;

    /** Rows of a product that one piece computes; every element's sum is the same whatever the cut. */
    private static final int ROW_BLOCK = 192;

    private final CpuMemory memory;
    private final Kernels kernels;
    private final Workers workers;
    private final RecordedSteps steps;
    private volatile RotaryTable rotaryTable = new RotaryTable(2, 10_000f);

    public CpuMath(CpuMemory memory, Kernels kernels, Workers workers) {
        this.memory = memory;
        this.kernels = kernels;
        this.workers = workers;
        this.steps = memory.steps();
    }

    /** Runs {@code count} pieces of an operation, or keeps them for a recorded step. */
    private void run(int count, long flops, IntConsumer piece) {
        steps.run(() -> workers.run(count, flops, piece));
    }

    @Override
    public void cast(DeviceArray x, DeviceArray y) {
        MathChecks.cast(x, y);
        CpuArray from = memory.hold(x);
        CpuArray to = memory.hold(y);
        requireApartOrSame("cast", "y", to, "x", from);
        steps.run(() -> Elements.convert(from, to));
    }

    @Override
    public void map(UnaryOp op, DeviceArray x, DeviceArray y) {
        MathChecks.map(x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApartOrSame("map", "y", to, "x", from);
        run((to.length + MAP_CHUNK - 1) / MAP_CHUNK, MAP_FLOPS * to.length, piece -> {
            int first = piece * MAP_CHUNK;
            int count = Math.min(MAP_CHUNK, to.length - first);
            kernels.map(op, from.floats, from.offset + first, to.floats, to.offset + first, count);
        });
    }

    @Override
    public void zip(
            BinaryOp op, int[] shape, DeviceArray a, int[] strideA, DeviceArray b, int[] strideB, DeviceArray y) {
        MathChecks.zip(shape, a, strideA, b, strideB, y);
        CpuArray left = memory.use(a);
        CpuArray right = memory.use(b);
        CpuArray to = memory.use(y);
        requireApartOrSame("zip", "y", to, "a", left);
        requireApartOrSame("zip", "y", to, "b", right);
        if (to.length > 0) {
            steps.run(Broadcast.zip(kernels, op, StridedAxes.of(shape, strideA, strideB), left, right, to));
        }
    }

    @Override
    public void select(DeviceArray condition, DeviceArray a, DeviceArray b, DeviceArray y) {
        MathChecks.select(condition, a, b, y);
        CpuArray test = memory.use(condition);
        CpuArray left = memory.use(a);
        CpuArray right = memory.use(b);
        CpuArray to = memory.use(y);
        requireApartOrSame("select", "y", to, "condition", test);
        requireApartOrSame("select", "y", to, "a", left);
        requireApartOrSame("select", "y", to, "b", right);
        steps.run(() -> {
            for (int i = 0; i < to.length; i++) {
                float yes = left.floats[left.offset + i];
                float no = right.floats[right.offset + i];
                to.floats[to.offset + i] = test.floats[test.offset + i] != 0 ? yes : no;
            }
        });
    }

    @Override
    public void reduce(ReduceOp op, int outer, int reduced, int inner, DeviceArray x, DeviceArray y) {
        MathChecks.reduce(outer, reduced, inner, x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApart("reduce", "y", to, "x", from);
        steps.run(() -> {
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
        });
    }

    @Override
    public void arrange(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.arrange(shape, x, strideX, y, strideY);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApart("arrange", "y", to, "x", from);
        long size = RowMajor.size(shape);
        if (size > 0) {
            steps.run(Broadcast.arrange(StridedAxes.of(shape, strideX, strideY), size, from, to));
        }
    }

    @Override
    public void accumulate(int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY) {
        MathChecks.accumulate(shape, x, strideX, y, strideY);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApart("accumulate", "y", to, "x", from);
        long size = RowMajor.size(shape);
        if (size > 0) {
            steps.run(Broadcast.accumulate(kernels, StridedAxes.of(shape, strideX, strideY), size, from, to));
        }
    }

    @Override
    public void gemm(Gemm shape, DeviceArray a, DeviceArray b, DeviceArray c) {
        MathChecks.gemm(shape, a, b, c);
        CpuArray left = memory.use(a);
        CpuArray right = memory.use(b);
        CpuArray to = memory.use(c);
        int m = shape.m();
        int n = shape.n();
        requireApart("gemm", "c", to, "a", left);
        requireApart("gemm", "c", to, "b", right);
        if (m == 0 || n == 0) {
            return;
        }
        int blocks = (m + ROW_BLOCK - 1) / ROW_BLOCK;
        run(shape.batch() * blocks, 2L * shape.batch() * m * n * shape.k(), piece -> {
            int firstRow = piece % blocks * ROW_BLOCK;
            kernels.gemm(shape, piece / blocks, firstRow, Math.min(m, firstRow + ROW_BLOCK), left, right, to);
        });
    }

    @Override
    public void gatherRows(DeviceArray table, int width, DeviceArray indices, DeviceArray y) {
        MathChecks.gatherRows(table, width, indices, y);
        CpuArray from = memory.use(table);
        CpuArray rows = memory.use(indices);
        CpuArray to = memory.use(y);
        int tableRows = from.length / width;
        requireApart("gatherRows", "y", to, "table", from);
        boolean integers = from.dtype() == DType.I32;
        steps.run(() -> {
            for (int i = 0; i < rows.length; i++) {
                int row = requireRow("gatherRows", rows.ints[rows.offset + i], i, tableRows);
                System.arraycopy(
                        integers ? from.ints : from.floats,
                        from.offset + row * width,
                        integers ? to.ints : to.floats,
                        to.offset + i * width,
                        width);
            }
        });
    }

    @Override
    public void scatterAddRows(DeviceArray x, int width, DeviceArray indices, DeviceArray table) {
        MathChecks.scatterAddRows(x, width, indices, table);
        CpuArray from = memory.use(x);
        CpuArray rows = memory.use(indices);
        CpuArray to = memory.use(table);
        int tableRows = to.length / width;
        requireApart("scatterAddRows", "table", to, "x", from);
        steps.run(() -> {
            for (int i = 0; i < rows.length; i++) {
                int row = requireRow("scatterAddRows", rows.ints[rows.offset + i], i, tableRows);
                for (int j = 0; j < width; j++) {
                    to.floats[to.offset + row * width + j] += from.floats[from.offset + i * width + j];
                }
            }
        });
    }

    @Override
    public void placeRows(RowPlaces places, List<TableRows> tables) {
        MathChecks.placeRows(places, tables);
        CpuArray index = memory.use(places.indices());
        CpuArray units = places.units() == null ? null : memory.use(places.units());
        for (TableRows of : tables) {
            CpuArray from = memory.use(of.rows());
            CpuArray to = memory.use(of.table());
            int width = of.width();
            int tableRows = to.length / width;
            requireApart("placeRows", "table", to, "rows", from);
            steps.run(() -> {
                for (int i = 0; i < index.length; i++) {
                    int unit = units == null ? i : units.ints[units.offset + i];
                    int place = index.ints[index.offset + i] + places.shift();
                    if (places.wraps()) {
                        place = Math.floorMod(place, places.extent());
                    }
                    if (unit >= 0 && place >= 0 && place < places.extent()) {
                        int row = requireRow("placeRows", unit * places.stride() + place, i, tableRows);
                        copy(from, from.offset + i * width, to, to.offset + row * width, width);
                    }
                }
            });
        }
    }

    private static void copy(CpuArray from, int source, CpuArray to, int target, int count) {
        if (from.dtype() == DType.I32) {
            System.arraycopy(from.ints, source, to.ints, target, count);
        } else if (count == 1) {
            to.floats[target] = from.floats[source];
        } else {
            System.arraycopy(from.floats, source, to.floats, target, count);
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
    public void iota(double start, double step, DeviceArray y) {
        CpuArray to = memory.use(y);
        steps.run(() -> {
            for (int i = 0; i < to.length; i++) {
                double value = start + i * step;
                if (to.dtype() == DType.I32) {
                    to.ints[to.offset + i] = (int) value;
                } else {
                    to.floats[to.offset + i] = (float) value;
                }
            }
        });
    }

    @Override
    public void uniform(RandomRange draw, DeviceArray y) {
        MathChecks.uniform(draw, y);
        CpuArray to = memory.use(y);
        CpuArray counter = draw.counter() == null ? null : memory.use(draw.counter());
        steps.run(() -> Philox.fill(
                draw.seed(),
                draw.stream() + (counter == null ? 0 : counter.ints[counter.offset]),
                draw.first(),
                to.floats,
                to.offset,
                to.length));
    }

    @Override
    public void linear(
            int rows,
            int in,
            int out,
            DeviceArray x,
            DeviceArray weight,
            @Nullable DeviceArray bias,
            Activation activation,
            DeviceArray y) {
        MathChecks.linear(rows, in, out, x, weight, bias, y);
        CpuArray from = memory.use(x);
        CpuArray w = memory.use(weight);
        CpuArray shift = bias == null ? null : memory.use(bias);
        CpuArray to = memory.use(y);
        requireApart("linear", "y", to, "x", from);
        requireApart("linear", "y", to, "weight", w);
        int blocks = (rows + ROW_BLOCK - 1) / ROW_BLOCK;
        run(blocks, 2L * rows * in * out, block -> {
            int first = block * ROW_BLOCK;
            kernels.linear(first, Math.min(ROW_BLOCK, rows - first), in, out, from, w, shift, activation, to);
        });
    }

    @Override
    public void softmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("softmax", rows, width, x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApartOrSame("softmax", "y", to, "x", from);
        if (width > 0 && width <= PolicyColumns.NARROW) {
            steps.run(() -> PolicyColumns.softmax(kernels, false, rows, width, from, to));
        } else {
            rowBlocks(rows, width, (first, count) -> {
                int start = first * width;
                kernels.softmax(count, width, from.floats, from.offset + start, to.floats, to.offset + start);
            });
        }
    }

    @Override
    public void logSoftmax(int rows, int width, DeviceArray x, DeviceArray y) {
        MathChecks.softmax("logSoftmax", rows, width, x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApartOrSame("logSoftmax", "y", to, "x", from);
        if (width > 0 && width <= PolicyColumns.NARROW) {
            steps.run(() -> PolicyColumns.softmax(kernels, true, rows, width, from, to));
        } else {
            rowBlocks(rows, width, (first, count) -> {
                int start = first * width;
                kernels.logSoftmax(count, width, from.floats, from.offset + start, to.floats, to.offset + start);
            });
        }
    }

    @FunctionalInterface
    private interface RowBlock {
        void run(int first, int count);
    }

    /** Runs a block of rows at a time, for operations whose rows do not depend on each other. */
    private void rowBlocks(int rows, int width, RowBlock block) {
        run((rows + ROW_BLOCK - 1) / ROW_BLOCK, MAP_FLOPS * rows * width, piece -> {
            int first = piece * ROW_BLOCK;
            block.run(first, Math.min(ROW_BLOCK, rows - first));
        });
    }

    @Override
    public void layerNorm(LayerNormArgs<DeviceArray> args, float epsilon, DeviceArray bias, DeviceArray y) {
        MathChecks.layerNorm(args, bias, y);
        LayerNormArgs<CpuArray> arrays = args.map(memory::use);
        CpuArray shift = memory.use(bias);
        CpuArray to = memory.use(y);
        requireApartOrSame("layerNorm", "y", to, "x", arrays.x());
        rowBlocks(
                args.rows(),
                args.width(),
                (first, count) -> kernels.layerNorm(arrays, first, count, epsilon, shift, to));
    }

    @Override
    public void layerNormBackward(
            LayerNormArgs<DeviceArray> args, DeviceArray dy, DeviceArray dx, DeviceArray dGain, DeviceArray dBias) {
        MathChecks.layerNormBackward(args, dy, dx, dGain, dBias);
        LayerNormArgs<CpuArray> arrays = args.map(memory::use);
        CpuArray upstream = memory.use(dy);
        CpuArray to = memory.use(dx);
        CpuArray toGain = memory.use(dGain);
        CpuArray toBias = memory.use(dBias);
        requireApartOrSame("layerNormBackward", "dx", to, "x", arrays.x());
        requireApartOrSame("layerNormBackward", "dx", to, "dy", upstream);
        requireApart("layerNormBackward", "dGain", toGain, "gain", arrays.gain());
        steps.run(() -> kernels.layerNormBackward(arrays, upstream, to, toGain, toBias));
    }

    @Override
    public void rotary(
            int rows,
            int heads,
            int headDim,
            float base,
            int sign,
            DeviceArray x,
            DeviceArray positions,
            DeviceArray y) {
        MathChecks.rotary(rows, heads, headDim, sign, x, positions, y);
        CpuArray from = memory.use(x);
        CpuArray position = memory.use(positions);
        CpuArray to = memory.use(y);
        requireApartOrSame("rotary", "y", to, "x", from);
        if (from.length == 0) {
            return;
        }
        RotaryTable table = rotaryTable;
        if (!table.fits(headDim, base)) {
            table = new RotaryTable(headDim, base);
            rotaryTable = table;
        }
        RotaryTable angles = table;
        steps.run(() -> angles.turn(rows, heads, sign, from, position, to));
    }

    @Override
    public void standardize(float epsilon, DeviceArray x, DeviceArray y) {
        MathChecks.standardize(x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        requireApartOrSame("standardize", "y", to, "x", from);
        steps.run(() -> standardize(epsilon, from, to));
    }

    private static void standardize(float epsilon, CpuArray from, CpuArray to) {
        int n = from.length;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += from.floats[from.offset + i];
        }
        double mean = sum / n;
        double squares = 0;
        for (int i = 0; i < n; i++) {
            double centred = from.floats[from.offset + i] - mean;
            squares += centred * centred;
        }
        float shift = (float) mean;
        float scale = (float) (1 / (Math.sqrt(squares / n) + epsilon));
        for (int i = 0; i < n; i++) {
            to.floats[to.offset + i] = (from.floats[from.offset + i] - shift) * scale;
        }
    }
}
