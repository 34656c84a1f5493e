// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.memory.DType;

/** Elementwise work on operands that are strided or broadcast. */
final class Broadcast {
    /** Inner loops shorter than this are gathered into longer ones. */
    private static final int SHORT = 32;

    /** Runs shorter than this are copied element by element. */
    private static final int COPY = 8;

    private static final int CHUNK = 1024;
    private static final ThreadLocal<float[]> SCRATCH = ThreadLocal.withInitial(() -> new float[2 * CHUNK]);

    private Broadcast() {}

    /** {@code y = op(a, b)} along the axes of a and b, as often as it is run; y is dense. */
    static Runnable zip(Kernels kernels, BinaryOp op, StridedAxes axes, CpuArray a, CpuArray b, CpuArray y) {
        int inner = axes.extent(0);
        boolean direct = steps(axes.first(0), a) && steps(axes.second(0), b) && (axes.count() <= 1 || inner >= SHORT);
        StridedRows rows = new StridedRows(axes);
        return direct
                ? () -> zipRows(kernels, op, axes, rows, a, b, y)
                : () -> zipGathered(kernels, op, axes, rows, a, b, y);
    }

    private static void zipRows(
            Kernels kernels, BinaryOp op, StridedAxes axes, StridedRows rows, CpuArray a, CpuArray b, CpuArray y) {
        int inner = axes.extent(0);
        int stepA = axes.first(0);
        int stepB = axes.second(0);
        for (int to = 0; to < y.length; to += inner) {
            int fromA = a.offset + rows.first;
            int fromB = b.offset + rows.second;
            kernels.zip(op, a.floats, fromA, stepA, b.floats, fromB, stepB, y.floats, y.offset + to, inner);
            rows.next();
        }
    }

    private static boolean steps(int stride, CpuArray array) {
        return array.dtype() == DType.F32 && stride <= 1;
    }

    private static void zipGathered(
            Kernels kernels, BinaryOp op, StridedAxes axes, StridedRows rows, CpuArray a, CpuArray b, CpuArray y) {
        float[] scratch = SCRATCH.get();
        int inner = axes.extent(0);
        int position = 0;
        for (int first = 0; first < y.length; first += CHUNK) {
            int count = Math.min(CHUNK, y.length - first);
            for (int done = 0; done < count; ) {
                int run = Math.min(inner - position, count - done);
                gather(a, rows.first, axes.first(0), position, run, scratch, done);
                gather(b, rows.second, axes.second(0), position, run, scratch, CHUNK + done);
                done += run;
                position += run;
                if (position == inner) {
                    position = 0;
                    rows.next();
                }
            }
            kernels.zip(op, scratch, 0, 1, scratch, CHUNK, 1, y.floats, y.offset + first, count);
        }
    }

    /** Copies elements {@code [position, position + run)} of a strided row. */
    private static void gather(CpuArray x, int row, int step, int position, int run, float[] target, int offset) {
        int from = x.offset + row + position * step;
        if (x.dtype() == DType.I32) {
            for (int i = 0; i < run; i++) {
                target[offset + i] = x.ints[from + i * step];
            }
        } else {
            for (int i = 0; i < run; i++) {
                target[offset + i] = x.floats[from + i * step];
            }
        }
    }

    /** Copies {@code size} elements along the axes of x and y, as often as it is run. */
    static Runnable arrange(StridedAxes axes, long size, CpuArray x, CpuArray y) {
        StridedRows rows = new StridedRows(axes);
        return () -> arrange(axes, rows, size, x, y);
    }

    private static void arrange(StridedAxes axes, StridedRows rows, long size, CpuArray x, CpuArray y) {
        int inner = axes.extent(0);
        int stepX = axes.first(0);
        int stepY = axes.second(0);
        boolean integers = x.dtype() == DType.I32;
        boolean copies = stepX == 1 && stepY == 1 && inner >= COPY;
        for (long done = 0; done < size; done += inner) {
            int from = x.offset + rows.first;
            int to = y.offset + rows.second;
            if (copies) {
                System.arraycopy(integers ? x.ints : x.floats, from, integers ? y.ints : y.floats, to, inner);
            } else if (integers) {
                for (int i = 0; i < inner; i++) {
                    y.ints[to + i * stepY] = x.ints[from + i * stepX];
                }
            } else {
                for (int i = 0; i < inner; i++) {
                    y.floats[to + i * stepY] = x.floats[from + i * stepX];
                }
            }
            rows.next();
        }
    }

    /** Adds {@code size} elements of x to those of y along the axes of both, as often as it is run. */
    static Runnable accumulate(Kernels kernels, StridedAxes axes, long size, CpuArray x, CpuArray y) {
        StridedRows rows = new StridedRows(axes);
        return () -> accumulate(kernels, axes, rows, size, x, y);
    }

    private static void accumulate(
            Kernels kernels, StridedAxes axes, StridedRows rows, long size, CpuArray x, CpuArray y) {
        int inner = axes.extent(0);
        int stepX = axes.first(0);
        int stepY = axes.second(0);
        for (long done = 0; done < size; done += inner) {
            int from = x.offset + rows.first;
            int to = y.offset + rows.second;
            if (stepX == 1 && stepY == 1) {
                kernels.zip(BinaryOp.ADD, y.floats, to, 1, x.floats, from, 1, y.floats, to, inner);
            } else {
                for (int i = 0; i < inner; i++) {
                    y.floats[to + i * stepY] += x.floats[from + i * stepX];
                }
            }
            rows.next();
        }
    }
}
