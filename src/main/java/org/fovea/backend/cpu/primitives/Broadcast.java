package org.fovea.backend.cpu.primitives;

import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.BinaryOp;
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

    /** Operands of the walk: a, b, and y, which is dense. */
    static void zip(Kernels kernels, BinaryOp op, Strided walk, CpuArray a, CpuArray b, CpuArray y) {
        int inner = walk.extents[walk.rank() - 1];
        boolean direct = steps(walk, 0, a) && steps(walk, 1, b) && (walk.rank() == 1 || inner >= SHORT);
        if (!direct) {
            zipGathered(kernels, op, walk, a, b, y);
            return;
        }
        int stepA = walk.strides[0][walk.rank() - 1];
        int stepB = walk.strides[1][walk.rank() - 1];
        Strided.Rows rows = walk.rows();
        for (int to = 0; to < y.length; to += inner) {
            int fromA = a.offset + rows.offset(0);
            int fromB = b.offset + rows.offset(1);
            kernels.zip(op, a.floats, fromA, stepA, b.floats, fromB, stepB, y.floats, y.offset + to, inner);
            rows.next();
        }
    }

    private static boolean steps(Strided walk, int operand, CpuArray array) {
        return array.dtype() == DType.F32 && walk.strides[operand][walk.rank() - 1] <= 1;
    }

    private static void zipGathered(Kernels kernels, BinaryOp op, Strided walk, CpuArray a, CpuArray b, CpuArray y) {
        float[] scratch = SCRATCH.get();
        int last = walk.rank() - 1;
        int inner = walk.extents[last];
        Strided.Rows rows = walk.rows();
        int position = 0;
        for (int first = 0; first < y.length; first += CHUNK) {
            int count = Math.min(CHUNK, y.length - first);
            for (int done = 0; done < count; ) {
                int run = Math.min(inner - position, count - done);
                gather(a, rows.offset(0), walk.strides[0][last], position, run, scratch, done);
                gather(b, rows.offset(1), walk.strides[1][last], position, run, scratch, CHUNK + done);
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

    /** Operands of the walk: x and y. */
    static void arrange(Strided walk, CpuArray x, CpuArray y) {
        int last = walk.rank() - 1;
        int inner = walk.extents[last];
        int stepX = walk.strides[0][last];
        int stepY = walk.strides[1][last];
        boolean integers = x.dtype() == DType.I32;
        boolean copies = stepX == 1 && stepY == 1 && inner >= COPY;
        Strided.Rows rows = walk.rows();
        for (long done = 0, size = walk.size(); done < size; done += inner) {
            int from = x.offset + rows.offset(0);
            int to = y.offset + rows.offset(1);
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
}
