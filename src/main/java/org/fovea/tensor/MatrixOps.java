// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Arrays;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.ShapeException;

/** Products of matrices. */
final class MatrixOps {
    private MatrixOps() {}

    /**
     * {@code op(a) op(b)} over the last two axes, where op transposes if asked; leading axes are broadcast.
     */
    static Tensor matmul(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
        b.requireTape(a.tape());
        if (a.rank() < 2 || b.rank() < 2 || inner(a, transposeA) != outer(b, !transposeB)) {
            throw mismatch(a, b, transposeA, transposeB);
        }
        if (b.rank() == 2 && a.rank() > 2 && !transposeA) {
            int rows = Math.toIntExact(a.length() / a.size(-1));
            int[] shape = Shapes.with(a.sizes(), a.rank() - 1, outer(b, transposeB));
            return product(a.reshape(rows, a.size(-1)), b, false, transposeB).reshape(shape);
        }
        int[] batch = Shapes.broadcast("matmul", leading(a), leading(b));
        return product(
                a.broadcastTo(Shapes.concat(batch, trailing(a))),
                b.broadcastTo(Shapes.concat(batch, trailing(b))),
                transposeA,
                transposeB);
    }

    /** Operands of the same leading axes. */
    private static Tensor product(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
        Tape tape = a.tape();
        int m = inner(a, !transposeA);
        int k = inner(a, transposeA);
        int n = outer(b, transposeB);
        int[] batchAxes = leading(a);
        int batch = Shapes.product(batchAxes, 0, batchAxes.length);
        Tensor y = tape.result(Shapes.concat(batchAxes, new int[] {m, n}));
        tape.backend()
                .math()
                .gemm(Gemm.batched(transposeA, transposeB, m, n, k, batch), a.array(), b.array(), y.array());
        if (tape.records(a, b)) {
            tape.record(y, g -> productBackward(a, b, transposeA, transposeB, y, g), a, b);
        }
        return y;
    }

    private static void productBackward(
            Tensor a, Tensor b, boolean transposeA, boolean transposeB, Tensor y, Gradients g) {
        Tensor dy = g.of(y);
        if (g.wants(a)) {
            g.add(a, transposeA ? product(b, dy, transposeB, true) : product(dy, b, false, !transposeB));
        }
        if (g.wants(b)) {
            g.add(b, transposeB ? product(dy, a, true, transposeA) : product(a, dy, !transposeA, false));
        }
    }

    /** Length of the summed axis of a left operand. */
    private static int inner(Tensor a, boolean transposed) {
        return a.size(transposed ? -2 : -1);
    }

    /** Length of the free axis of a right operand. */
    private static int outer(Tensor b, boolean transposed) {
        return b.size(transposed ? -2 : -1);
    }

    private static int[] leading(Tensor x) {
        return Arrays.copyOf(x.sizes(), x.rank() - 2);
    }

    private static int[] trailing(Tensor x) {
        return Arrays.copyOfRange(x.sizes(), x.rank() - 2, x.rank());
    }

    private static ShapeException mismatch(Tensor a, Tensor b, boolean transposeA, boolean transposeB) {
        return new ShapeException(
                "matmul",
                Shapes.text(a.sizes()) + (transposeA ? " transposed" : "") + " by " + Shapes.text(b.sizes())
                        + (transposeB ? " transposed" : "") + ": the inner sizes differ");
    }
}
