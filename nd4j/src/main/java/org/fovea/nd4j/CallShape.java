// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.Arrays;
import java.util.Objects;
import java.util.stream.Stream;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * The shapes and types of all arrays of one attention, and the layout in which they go to the device: that in which most of
 * query, key and value lie in memory, so that a permute of an array need not be undone element by element.
 */
final class CallShape {
    private final AttentionCall<INDArray> call;
    private final AttentionShape asked;
    private final AttentionShape onDevice;
    private final DType rowType;
    private final DType wideType;

    /** Whether query, key and value have no axis of heads. */
    private final boolean single;

    CallShape(AttentionCall<INDArray> call) {
        this.call = call;
        asked = call.shape();
        rowType = ArrayView.type("query", call.query());
        wideType = rowType == DType.F64 ? DType.F64 : DType.F32;
        single = call.query().rank() == 3;
        if (!rowType.isFloating()) {
            throw new IllegalArgumentException("attention: " + ArrayView.describe("query", call.query())
                    + ", expected FLOAT, DOUBLE, HALF or BFLOAT16; convert it by castTo");
        }
        onDevice = dense(Layout.BHND) >= dense(Layout.BNHD) ? in(Layout.BHND) : in(Layout.BNHD);
    }

    private AttentionShape in(Layout layout) {
        AttentionShape s = asked;
        return new AttentionShape(
                s.batch(), s.heads(), s.keyHeads(), s.queries(), s.keys(), s.headDim(), s.valueDim(), layout);
    }

    private long dense(Layout layout) {
        return Stream.of(
                        rows("query", call.query(), asked.heads(), asked.queries(), asked.headDim(), layout),
                        rows("key", call.key(), asked.keyHeads(), asked.keys(), asked.headDim(), layout),
                        rows("value", call.value(), asked.keyHeads(), asked.keys(), asked.valueDim(), layout))
                .filter(ArrayView::isDense)
                .count();
    }

    /** The extents, in the layout that the device has them in. */
    AttentionShape onDevice() {
        return onDevice;
    }

    /** Of query, key, value and output. */
    DType rowType() {
        return rowType;
    }

    /** Of log-sum-exp, bias, sink and whatever is added to scores. */
    DType wideType() {
        return wideType;
    }

    /** The call's array of a name, or that of a plane. */
    ArrayView view(String role, String name, INDArray array) {
        AttentionShape s = asked;
        String called = role + name;
        return switch (name) {
            case "query" -> rows(called, array, s.heads(), s.queries(), s.headDim(), onDevice.layout());
            case "key" -> rows(called, array, s.keyHeads(), s.keys(), s.headDim(), onDevice.layout());
            case "value" -> rows(called, array, s.keyHeads(), s.keys(), s.valueDim(), onDevice.layout());
            case "output" -> rows(called, array, s.heads(), s.queries(), s.valueDim(), onDevice.layout());
            case "logSumExp" -> typed(ArrayView.of(called, array, extents(name), 1, new int[] {0, 1, 2}), wideType);
            case "querySegments", "keySegments", "keyLengths", "querySequences", "keySequences" ->
                typed(ArrayView.of(called, array, extents(name, array)), DType.I32);
            default -> typed(ArrayView.of(called, array, extents(name)), wideType);
        };
    }

    private ArrayView rows(String name, INDArray array, int heads, int rows, int dim, Layout layout) {
        int headAxis = asked.layout() == Layout.BHND ? 1 : 2;
        long[] expected = headAxis == 1
                ? new long[] {asked.batch(), heads, rows, dim}
                : new long[] {asked.batch(), rows, heads, dim};
        int[] order = layout == asked.layout() ? new int[] {0, 1, 2, 3} : new int[] {0, 2, 1, 3};
        return typed(ArrayView.of(name, array, expected, headAxis, order), rowType);
    }

    private long[] extents(String name, INDArray array) {
        return name.endsWith("Sequences") ? new long[] {array.length()} : extents(name);
    }

    private long[] extents(String name) {
        AttentionShape s = asked;
        return switch (name) {
            case "logSumExp" -> new long[] {s.batch(), s.heads(), s.queries()};
            case "bias" -> extents(call.bias());
            case "mask" -> extents(call.mask().scores());
            case "sink", "alibiSlopes" -> new long[] {s.heads()};
            case "querySegments" -> new long[] {s.batch(), s.queries()};
            case "keySegments" -> new long[] {s.batch(), s.keys()};
            case "keyLengths" -> new long[] {s.batch()};
            default -> throw new AssertionError(name);
        };
    }

    private static long[] extents(@Nullable ScoreBias<INDArray> bias) {
        return Arrays.stream(Objects.requireNonNull(bias).extents())
                .asLongStream()
                .toArray();
    }

    private ArrayView typed(ArrayView view, DType expected) {
        if (view.type() != expected) {
            throw new IllegalArgumentException("attention: " + ArrayView.describe(view.name(), view.array())
                    + ", but " + ArrayView.describe("query", call.query()) + ", so that it should be "
                    + ArrayView.dataType(expected) + "; convert it by castTo(DataType." + ArrayView.dataType(expected)
                    + ")");
        }
        return view;
    }

    /** A new array for a result, in the workspace that is open; it lies in memory as the device has it. */
    INDArray create(String name) {
        AttentionShape s = asked;
        return switch (name) {
            case "query" -> createRows(s.heads(), s.queries(), s.headDim());
            case "key" -> createRows(s.keyHeads(), s.keys(), s.headDim());
            case "value" -> createRows(s.keyHeads(), s.keys(), s.valueDim());
            case "output" -> createRows(s.heads(), s.queries(), s.valueDim());
            case "logSumExp" -> single ? create(wideType, s.batch(), s.queries()) : create(wideType, extents(name));
            default -> create(wideType, extents(name));
        };
    }

    private INDArray createRows(int heads, int rows, int dim) {
        if (single) {
            return create(rowType, asked.batch(), rows, dim);
        }
        INDArray array = onDevice.layout() == Layout.BHND
                ? create(rowType, asked.batch(), heads, rows, dim)
                : create(rowType, asked.batch(), rows, heads, dim);
        return onDevice.layout() == asked.layout() ? array : array.permute(0, 2, 1, 3);
    }

    private static INDArray create(DType type, long... shape) {
        return Nd4j.createUninitialized(ArrayView.dataType(type), shape, 'c');
    }
}
