// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.StridedAxes;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.RowMajor;
import org.fovea.backend.memory.ShapeException;

/** Operations that move elements without changing them. Tensors are always dense, so most copy. */
final class LayoutOps {
    private LayoutOps() {}

    static Tensor reshape(Tensor x, int... shape) {
        if (Arrays.equals(shape, x.sizes())) {
            return x;
        }
        if (Shapes.length(shape) != x.length()) {
            throw new ShapeException("reshape", Shapes.text(x.sizes()) + " cannot become " + Shapes.text(shape));
        }
        Tape tape = x.tape();
        Tensor y = tape.constant(x.array(), shape);
        return tape.records(x) ? tape.record(y, g -> g.add(x, reshape(g.of(y), x.sizes())), x) : y;
    }

    /** Axis i of the result is axis {@code order[i]} of x. */
    static Tensor transpose(Tensor x, int... order) {
        int rank = x.rank();
        int[] inverse = new int[rank];
        int[] shape = new int[rank];
        int[] strides = new int[rank];
        int[] dense = RowMajor.strides(x.sizes());
        long seen = 0;
        for (int i = 0; i < Math.min(rank, order.length); i++) {
            int axis = Shapes.axis("transpose", x.sizes(), order[i]);
            inverse[axis] = i;
            shape[i] = x.size(axis);
            strides[i] = dense[axis];
            seen |= 1L << axis;
        }
        if (order.length != rank || Long.bitCount(seen) != rank) {
            throw new ShapeException(
                    "transpose", Arrays.toString(order) + " is no order of the axes of " + Shapes.text(x.sizes()));
        }
        Tape tape = x.tape();
        Tensor y = arranged("transpose", x, shape, strides);
        return tape.records(x) ? tape.record(y, g -> g.add(x, transpose(g.of(y), inverse)), x) : y;
    }

    static Tensor broadcastTo(Tensor x, int... shape) {
        if (Arrays.equals(shape, x.sizes())) {
            return x;
        }
        if (!Arrays.equals(Shapes.broadcast("broadcastTo", x.sizes(), shape), shape)) {
            throw new ShapeException("broadcastTo", Shapes.text(x.sizes()) + " cannot become " + Shapes.text(shape));
        }
        Tape tape = x.tape();
        Tensor y = arranged("broadcastTo", x, shape, Shapes.broadcastStrides(x.sizes(), shape));
        return tape.records(x) ? tape.record(y, g -> g.add(x, ReductionOps.sumTo(x.sizes(), g.of(y))), x) : y;
    }

    /** Elements {@code [from, to)} of an axis; without a copy where they lie together. */
    static Tensor slice(Tensor x, int requestedAxis, int from, int to) {
        int axis = Shapes.axis("slice", x.sizes(), requestedAxis);
        int size = x.size(axis);
        if (from < 0 || to < from || to > size) {
            throw new ShapeException(
                    "slice", "[" + from + ", " + to + ") is not inside axis " + axis + " of " + Shapes.text(x.sizes()));
        }
        if (from == 0 && to == size) {
            return x;
        }
        Tensor y = cut(x, axis, from, to);
        return x.tape().records(x) ? x.tape().record(y, g -> sliceBackward(x, axis, from, g.of(y), g), x) : y;
    }

    private static void sliceBackward(Tensor x, int axis, int from, Tensor dy, Gradients g) {
        Tensor sum = g.ownedSoFar(x);
        if (sum == null || dy.length() == 0 || x.tape().records(sum, dy)) {
            g.add(x, pad(dy, axis, from, x.size(axis)));
            return;
        }
        StridedAxes axes = Shapes.axes("slice", dy.sizes(), RowMajor.strides(dy.sizes()), RowMajor.strides(x.sizes()));
        DeviceArray place = from(sum, axis, from);
        x.tape().backend().math().accumulate(axes.shape(), dy.array(), axes.first(), place, axes.second());
    }

    /** The elements of x behind {@code position} along an axis, for the first index of the axes before it. */
    private static DeviceArray from(Tensor x, int axis, int position) {
        long offset = (long) position * Shapes.product(x.sizes(), axis + 1, x.rank());
        return x.array().slice(offset, x.length() - offset);
    }

    /** {@link #slice}, unrecorded. */
    private static Tensor cut(Tensor x, int axis, int from, int to) {
        Tape tape = x.tape();
        int[] shape = Shapes.with(x.sizes(), axis, to - from);
        int inner = Shapes.product(shape, axis + 1, shape.length);
        DeviceArray start = x.array().slice((long) from * inner, x.length() - (long) from * inner);
        if (Shapes.product(shape, 0, axis) == 1) {
            return tape.constant(start.slice(0, Shapes.length(shape)), shape);
        }
        Tensor y = allocateLike(x, shape);
        move("slice", shape, start, RowMajor.strides(x.sizes()), y.array(), RowMajor.strides(shape), tape);
        return y;
    }

    /** Parts of the lengths given along an axis. Their gradients are joined once, where those of slices are each padded and added. */
    static List<Tensor> split(Tensor x, int requestedAxis, int... lengths) {
        int axis = Shapes.axis("split", x.sizes(), requestedAxis);
        if (Arrays.stream(lengths).sum() != x.size(axis)
                || Arrays.stream(lengths).anyMatch(length -> length < 0)) {
            throw new ShapeException(
                    "split",
                    "lengths " + Arrays.toString(lengths) + " do not add up to axis " + axis + " of "
                            + Shapes.text(x.sizes()));
        }
        if (lengths.length == 1) {
            return List.of(x);
        }
        List<Tensor> parts = new ArrayList<>(lengths.length);
        int from = 0;
        for (int length : lengths) {
            parts.add(cut(x, axis, from, from + length));
            from += length;
        }
        x.tape().record(List.of(x), parts, g -> {
            List<Tensor> gradients = new ArrayList<>(parts.size());
            for (Tensor part : parts) {
                Tensor gradient = g.ofOrNull(part);
                gradients.add(gradient == null ? x.tape().zeros(part.sizes()) : gradient);
            }
            g.add(x, concat(axis, gradients));
        });
        return parts;
    }

    /** The reverse of slice: x from position {@code from} of an axis of length {@code size}, zeros around it. */
    static Tensor pad(Tensor x, int axis, int from, int size) {
        Tape tape = x.tape();
        int[] shape = Shapes.with(x.sizes(), axis, size);
        Tensor y = tape.zeros(shape);
        place("pad", x, y, axis, from);
        return tape.records(x) ? tape.record(y, g -> g.add(x, slice(g.of(y), axis, from, from + x.size(axis))), x) : y;
    }

    static Tensor concat(int requestedAxis, List<Tensor> parts) {
        Tensor first = parts.get(0);
        if (parts.size() == 1) {
            return first;
        }
        int axis = Shapes.axis("concat", first.sizes(), requestedAxis);
        int size = 0;
        for (Tensor part : parts) {
            part.requireTape(first.tape());
            boolean fits = part.rank() == first.rank()
                    && part.dtype() == first.dtype()
                    && Arrays.equals(Shapes.with(part.sizes(), axis, 0), Shapes.with(first.sizes(), axis, 0));
            if (!fits) {
                throw new ShapeException("concat", "cannot join " + first + " and " + part + " along axis " + axis);
            }
            size += part.size(axis);
        }
        Tensor y = allocateLike(first, Shapes.with(first.sizes(), axis, size));
        int position = 0;
        for (Tensor part : parts) {
            place("concat", part, y, axis, position);
            position += part.size(axis);
        }
        first.tape().record(parts, List.of(y), g -> {
            List<Tensor> wanted = parts.stream().filter(g::wants).toList();
            if (wanted.size() == 1) {
                Tensor part = wanted.get(0);
                int from = parts.stream()
                        .takeWhile(before -> before != part)
                        .mapToInt(before -> before.size(axis))
                        .sum();
                addSlice(part, g.of(y), axis, from, g);
                return;
            }
            int[] lengths = parts.stream().mapToInt(part -> part.size(axis)).toArray();
            List<Tensor> gradients = split(g.of(y), axis, lengths);
            for (int i = 0; i < lengths.length; i++) {
                g.add(parts.get(i), gradients.get(i));
            }
        });
        return y;
    }

    /** Adds elements {@code [from, from + part.size(axis))} of x to the gradient of the part. */
    private static void addSlice(Tensor part, Tensor x, int axis, int from, Gradients g) {
        Tape tape = x.tape();
        Tensor sum = g.soFar(part);
        if (sum == null || part.length() == 0 || tape.records(sum, x)) {
            g.add(part, slice(x, axis, from, from + part.size(axis)));
            return;
        }
        int[] shape = part.sizes();
        StridedAxes axes = Shapes.axes("concat", shape, RowMajor.strides(shape), RowMajor.strides(x.sizes()));
        Tensor y = tape.result(shape);
        tape.backend()
                .math()
                .zip(
                        BinaryOp.ADD,
                        axes.shape(),
                        sum.array(),
                        axes.first(),
                        from(x, axis, from),
                        axes.second(),
                        y.array());
        g.set(part, y);
    }

    /** {@code y[i, ...] = table[indices[i], ...]}; the axes of indices replace the first of the table. */
    static Tensor gatherRows(Tensor table, Tensor indices) {
        Tape tape = table.tape();
        indices.requireTape(tape);
        requireIndices("gatherRows", indices);
        int[] row = Arrays.copyOfRange(table.sizes(), 1, table.rank());
        Tensor y = allocateLike(table, Shapes.concat(indices.sizes(), row));
        int width = Shapes.product(row, 0, row.length);
        tape.backend().math().gatherRows(table.array(), width, indices.array(), y.array());
        return tape.records(table)
                ? tape.record(y, g -> g.add(table, scatterAddRows(g.of(y), indices, table.sizes())), table)
                : y;
    }

    /** {@code y[indices[i], ...] += x[i, ...]} into zeros of the given shape. */
    static Tensor scatterAddRows(Tensor x, Tensor indices, int[] shape) {
        Tape tape = x.tape();
        requireIndices("scatterAddRows", indices);
        Tensor y = tape.zeros(shape);
        int width = Shapes.product(shape, 1, shape.length);
        tape.backend().math().scatterAddRows(x.array(), width, indices.array(), y.array());
        return tape.records(x) ? tape.record(y, g -> g.add(x, gatherRows(g.of(y), indices)), x) : y;
    }

    private static void requireIndices(String operation, Tensor indices) {
        if (indices.dtype().isFloating()) {
            throw new IllegalArgumentException(operation + ": indices must be I32, got " + indices);
        }
    }

    private static Tensor arranged(String operation, Tensor x, int[] shape, int[] strides) {
        Tensor y = allocateLike(x, shape);
        move(operation, shape, x.array(), strides, y.array(), RowMajor.strides(shape), x.tape());
        return y;
    }

    private static void place(String operation, Tensor x, Tensor y, int axis, int from) {
        move(
                operation,
                x.sizes(),
                x.array(),
                RowMajor.strides(x.sizes()),
                from(y, axis, from),
                RowMajor.strides(y.sizes()),
                x.tape());
    }

    private static void move(
            String operation, int[] shape, DeviceArray x, int[] strideX, DeviceArray y, int[] strideY, Tape tape) {
        if (Shapes.length(shape) > 0) {
            StridedAxes axes = Shapes.axes(operation, shape, strideX, strideY);
            tape.backend().math().arrange(axes.shape(), x, axes.first(), y, axes.second());
        }
    }

    private static Tensor allocateLike(Tensor x, int[] shape) {
        return x.tape().constant(x.tape().allocate(x.dtype(), Shapes.length(shape)), shape);
    }
}
