// SPDX-License-Identifier: Apache-2.0
package org.fovea.nd4j;

import java.util.Arrays;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionPlane;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.memory.ShapeException;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.ops.transforms.Transforms;

/**
 * Attention {@code softmax(scale Q K^T + mask) V} on INDArrays and its derivatives, on the GPU where there is one that Fovea
 * can use, else on the CPU. The matrix of scores is never formed.
 *
 * <p>Query, key and value are [batch, heads, rows, dim], or [batch, rows, dim] for a single head, of type FLOAT, DOUBLE,
 * HALF or BFLOAT16: of any order, offset and strides. Accumulation is in float32, for DOUBLE in float64 throughout. An {@link AttentionCall} of them takes what else there is:
 * options by {@link AttentionSpec}, a bias or mask by {@link #bias} or {@link #visible}, a sink, segments, lengths.
 *
 * <p>May be called by any thread; calls are done one at a time ({@link AttentionEngine}, which is also for a device of one's
 * choice and for results in given arrays).
 */
public final class FusedAttention {

    private FusedAttention() {}

    /** {@link #call(INDArray, INDArray, INDArray, AttentionSpec, Layout)} in layout {@link Layout#BHND}. */
    public static AttentionCall<INDArray> call(INDArray query, INDArray key, INDArray value, AttentionSpec spec) {
        return call(query, key, value, spec, Layout.BHND);
    }

    /**
     * The attention of these arrays, to which bias, sink and mask may be added.
     *
     * @param query [batch, heads, queries, headDim], or [batch, queries, heads, headDim] by {@code layout}; or [batch,
     *     queries, headDim]
     * @param key likewise with keys in place of queries. It may have fewer heads: query head h reads key head {@code h / (heads /
     *     keyHeads)}
     * @param value shaped like the key, but its last axis may have a length of its own
     * @throws ShapeException if they do not fit together
     */
    public static AttentionCall<INDArray> call(
            INDArray query, INDArray key, INDArray value, AttentionSpec spec, Layout layout) {
        int[] q = extents(query, layout);
        int[] k = extents(key, layout);
        int[] v = extents(value, layout);
        boolean fits = query.rank() == key.rank()
                && key.rank() == value.rank()
                && q[0] == k[0]
                && q[0] == v[0]
                && k[1] == v[1]
                && k[2] == v[2]
                && q[3] == k[3];
        if (!fits || q[3] < 0) {
            throw new ShapeException(
                    "attention",
                    ArrayView.describe("query", query) + ", " + ArrayView.describe("key", key) + ", "
                            + ArrayView.describe("value", value) + ": they do not fit as "
                            + (query.rank() == 3 ? "[batch, rows, dim]" : layout + ", or [batch, rows, dim]"));
        }
        return AttentionCall.of(
                new AttentionShape(q[0], q[1], k[1], q[2], k[2], q[3], v[3], layout), spec, query, key, value);
    }

    /** Batch, heads, rows and dim; -1 where the array is of another rank. */
    private static int[] extents(INDArray array, Layout layout) {
        long[] shape = array.shape();
        if (shape.length != 3 && shape.length != 4) {
            return new int[] {-1, -1, -1, -1};
        }
        int headAxis = layout == Layout.BHND ? 1 : 2;
        return shape.length == 3
                ? new int[] {extent(array, 0), 1, extent(array, 1), extent(array, 2)}
                : new int[] {extent(array, 0), extent(array, headAxis), extent(array, 3 - headAxis), extent(array, 3)};
    }

    private static int extent(INDArray array, int axis) {
        long extent = array.size(axis);
        if (extent > Integer.MAX_VALUE) {
            throw new ShapeException(
                    "attention", Arrays.toString(array.shape()) + " has an axis longer than " + Integer.MAX_VALUE);
        }
        return (int) extent;
    }

    /** A bias or additive mask by query and key, [batch or 1, heads or 1, queries or 1, keys or 1]. */
    public static ScoreBias<INDArray> bias(INDArray array) {
        if (array.rank() != 4) {
            throw new ShapeException(
                    "attention",
                    ArrayView.describe("bias", array) + ", expected [batch, heads, queries, keys], each or 1");
        }
        return new ScoreBias<>(array, extent(array, 0), extent(array, 1), extent(array, 2), extent(array, 3));
    }

    /**
     * A bias by relative position: element {@code reach + clamp(p, -reach, reach)} is added where the key stands p positions
     * after the query.
     *
     * @param array [batch or 1, heads or 1, 2 reach + 1]
     */
    public static ScoreBias<INDArray> relativeBias(INDArray array) {
        if (array.rank() != 3 || array.size(2) % 2 == 0) {
            throw new ShapeException(
                    "attention",
                    ArrayView.describe("relative bias", array) + ", expected [batch or 1, heads or 1, 2 reach + 1]");
        }
        return ScoreBias.relative(array, extent(array, 0), extent(array, 1), extent(array, 2) / 2);
    }

    /**
     * A mask that hides the keys for which {@code visible} is 0 or false.
     *
     * @param visible of any type and of the extents of a bias
     * @param type DOUBLE where the query is, else FLOAT
     */
    public static ScoreBias<INDArray> visible(INDArray visible, DataType type) {
        return bias(Transforms.log(visible.castTo(type).neq(0).castTo(type), false)); // 0, or -infinity
    }

    /** The output alone, with the scale 1 / sqrt(dim) and every key visible. */
    public static INDArray forward(INDArray query, INDArray key, INDArray value) {
        return forward(query, key, value, AttentionSpec.DEFAULT);
    }

    /** The output alone. */
    public static INDArray forward(INDArray query, INDArray key, INDArray value, AttentionSpec spec) {
        AttentionCall<INDArray> call = call(query, key, value, spec);
        INDArray output = new CallShape(call).create("output");
        AttentionEngine.shared().forward(call, AttentionPlane.outputs(output, null));
        return output;
    }

    /** Output and log-sum-exp. */
    public static AttentionPlane<INDArray> forward(AttentionCall<INDArray> call) {
        return AttentionEngine.shared().forward(call);
    }

    /** Gradients of query, key and value, given that of the output. */
    public static AttentionPlane<INDArray> backward(
            INDArray query, INDArray key, INDArray value, AttentionSpec spec, INDArray dOutput) {
        return backward(call(query, key, value, spec), AttentionPlane.outputs(dOutput, null));
    }

    /** See {@link AttentionPass#backward(AttentionPlane)}. */
    public static AttentionPlane<INDArray> backward(AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs) {
        return AttentionEngine.shared().backward(call, dOutputs);
    }

    /** See {@link AttentionPass#jvp(AttentionPlane)}. */
    public static AttentionPlane<INDArray> jvp(AttentionCall<INDArray> call, AttentionPlane<INDArray> tangents) {
        return AttentionEngine.shared().jvp(call, tangents);
    }

    /** See {@link AttentionPass#doubleBackward(AttentionPlane, AttentionPlane)}. */
    public static AttentionPlane<INDArray> doubleBackward(
            AttentionCall<INDArray> call, AttentionPlane<INDArray> dOutputs, AttentionPlane<INDArray> tangents) {
        return AttentionEngine.shared().doubleBackward(call, dOutputs, tangents);
    }
}
