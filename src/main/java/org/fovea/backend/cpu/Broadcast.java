package org.fovea.backend.cpu;

import org.fovea.backend.BinaryOp;
import org.fovea.backend.DType;

/** Elementwise work on operands that are strided or broadcast. */
final class Broadcast {
    /** Inner loops shorter than this are gathered into longer ones. */
    private static final int SHORT = 32;

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
        int outer = walk.outerSize(1);
        for (int i = 0; i < outer; i++) {
            kernels.zip(
                    op,
                    a.floats,
                    a.offset + walk.offset(0, i, 1),
                    stepA,
                    b.floats,
                    b.offset + walk.offset(1, i, 1),
                    stepB,
                    y.floats,
                    y.offset + i * inner,
                    inner);
        }
    }

    private static boolean steps(Strided walk, int operand, CpuArray array) {
        return array.dtype() == DType.F32 && walk.strides[operand][walk.rank() - 1] <= 1;
    }

    private static void zipGathered(Kernels kernels, BinaryOp op, Strided walk, CpuArray a, CpuArray b, CpuArray y) {
        float[] scratch = SCRATCH.get();
        for (int first = 0; first < y.length; first += CHUNK) {
            int count = Math.min(CHUNK, y.length - first);
            gather(walk, 0, a, first, count, scratch, 0);
            gather(walk, 1, b, first, count, scratch, CHUNK);
            kernels.zip(op, scratch, 0, 1, scratch, CHUNK, 1, y.floats, y.offset + first, count);
        }
    }

    /** Copies elements {@code [first, first + count)} of a walk, in row-major order. */
    private static void gather(
            Strided walk, int operand, CpuArray x, int first, int count, float[] target, int targetOffset) {
        int last = walk.rank() - 1;
        int inner = walk.extents[last];
        int step = walk.strides[operand][last];
        int done = 0;
        while (done < count) {
            int outer = (first + done) / inner;
            int position = (first + done) % inner;
            int run = Math.min(inner - position, count - done);
            int from = x.offset + walk.offset(operand, outer, 1) + position * step;
            if (x.dtype() == DType.I32) {
                for (int i = 0; i < run; i++) {
                    target[targetOffset + done + i] = x.ints[from + i * step];
                }
            } else {
                for (int i = 0; i < run; i++) {
                    target[targetOffset + done + i] = x.floats[from + i * step];
                }
            }
            done += run;
        }
    }

    /** Operands of the walk: x and y. */
    static void arrange(Strided walk, CpuArray x, CpuArray y) {
        int last = walk.rank() - 1;
        int inner = walk.extents[last];
        int stepX = walk.strides[0][last];
        int stepY = walk.strides[1][last];
        int outer = walk.outerSize(1);
        boolean integers = x.dtype() == DType.I32;
        for (int o = 0; o < outer; o++) {
            int from = x.offset + walk.offset(0, o, 1);
            int to = y.offset + walk.offset(1, o, 1);
            if (stepX == 1 && stepY == 1) {
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
        }
    }
}
