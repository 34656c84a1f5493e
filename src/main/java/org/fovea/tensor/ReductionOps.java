// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Arrays;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;

/** Folding of axes. */
final class ReductionOps {
    private ReductionOps() {}

    /** Sum over the given axes, all if none is given. */
    static Tensor sum(Tensor x, boolean keepAxes, int... axes) {
        if (x.rank() == 0) {
            return x;
        }
        Tape tape = x.tape();
        boolean[] folded = folded("sum", x, axes);
        int[] kept = keptShape(x, folded);
        Tensor y = fold(ReduceOp.SUM, x, folded, keepAxes ? kept : droppedShape(x, folded));
        if (tape.records(x)) {
            tape.record(y, g -> g.add(x, g.of(y).reshape(kept).broadcastTo(x.sizes())), x);
        }
        return y;
    }

    /** Maximum over the given axes, all if none is given; the gradient is shared evenly among equal maxima. */
    static Tensor max(Tensor x, boolean keepAxes, int... axes) {
        if (x.rank() == 0) {
            return x;
        }
        Tape tape = x.tape();
        boolean[] folded = folded("max", x, axes);
        int[] kept = keptShape(x, folded);
        Tensor y = fold(ReduceOp.MAX, x, folded, keepAxes ? kept : droppedShape(x, folded));
        if (tape.records(x)) {
            Backward backward = g -> {
                Tensor isMaximum = x.equalTo(y.reshape(kept));
                Tensor shares = isMaximum.divide(sum(isMaximum, true, indices(folded)));
                g.add(x, shares.multiply(g.of(y).reshape(kept)));
            };
            tape.record(y, backward, x);
        }
        return y;
    }

    /** Sums away what broadcasting {@code shape} to the shape of {@code x} had repeated. */
    static Tensor sumTo(int[] shape, Tensor x) {
        if (Arrays.equals(shape, x.sizes())) {
            return x;
        }
        boolean[] folded = new boolean[x.rank()];
        int offset = x.rank() - shape.length;
        for (int i = 0; i < folded.length; i++) {
            folded[i] = i < offset || shape[i - offset] == 1;
        }
        return sum(x, true, indices(folded)).reshape(shape);
    }

    /** Folds runs of neighbouring axes, one after the other, from the last to the first. */
    private static Tensor fold(ReduceOp op, Tensor x, boolean[] folded, int[] shape) {
        Tape tape = x.tape();
        DeviceArray array = x.array();
        int[] sizes = x.sizes().clone();
        int end = sizes.length;
        while (end > 0) {
            if (!folded[end - 1]) {
                end--;
                continue;
            }
            int start = end - 1;
            while (start > 0 && folded[start - 1]) {
                start--;
            }
            int outer = Shapes.product(sizes, 0, start);
            int reduced = Shapes.product(sizes, start, end);
            int inner = Shapes.product(sizes, end, sizes.length);
            DeviceArray result = tape.allocate(tape.backend().memory().floatType(), (long) outer * inner);
            tape.backend().math().reduce(op, outer, reduced, inner, array, result);
            array = result;
            Arrays.fill(sizes, start, end, 1);
            end = start;
        }
        return tape.constant(array, shape);
    }

    private static boolean[] folded(String operation, Tensor x, int... axes) {
        boolean[] folded = new boolean[x.rank()];
        if (axes.length == 0) {
            Arrays.fill(folded, true);
        }
        for (int axis : axes) {
            folded[Shapes.axis(operation, x.sizes(), axis)] = true;
        }
        return folded;
    }

    private static int[] keptShape(Tensor x, boolean[] folded) {
        int[] shape = x.sizes().clone();
        for (int i = 0; i < shape.length; i++) {
            shape[i] = folded[i] ? 1 : shape[i];
        }
        return shape;
    }

    private static int[] droppedShape(Tensor x, boolean[] folded) {
        int[] shape = new int[x.rank()];
        int rank = 0;
        for (int i = 0; i < folded.length; i++) {
            if (!folded[i]) {
                shape[rank++] = x.sizes()[i];
            }
        }
        return Arrays.copyOf(shape, rank);
    }

    private static int[] indices(boolean[] folded) {
        int[] indices = new int[folded.length];
        int count = 0;
        for (int i = 0; i < folded.length; i++) {
            if (folded[i]) {
                indices[count++] = i;
            }
        }
        return Arrays.copyOf(indices, count);
    }
}
