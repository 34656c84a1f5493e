// SPDX-License-Identifier: Apache-2.0
package org.fovea.attention;

import java.util.List;
import org.fovea.backend.attention.AttentionCall;
import org.fovea.backend.attention.AttentionOps;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreBias;
import org.fovea.backend.attention.ScoreStage;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Attention {@code O = softmax(scale Q K^T + mask) V} in all the forms of {@link AttentionSpec}, differentiable to any order.
 * The value and every derivative are computed by the backend without forming the score matrix; see {@link
 * AttentionGradient}.
 */
public final class Attention {

    /**
     * Output, shaped like the query but with the value's last axis, and the log of the sum of exp of the visible scores,
     * [batch, heads, queries]. Gradients flow through both.
     */
    public record Result(Tensor output, Tensor logSumExp) {}

    private Attention() {}

    /** {@link #call(Tensor, Tensor, Tensor, AttentionSpec, Layout)} in layout {@link Layout#BHND}. */
    public static AttentionCall<Tensor> call(Tensor query, Tensor key, Tensor value, AttentionSpec spec) {
        return call(query, key, value, spec, Layout.BHND);
    }

    /**
     * The attention of these tensors, to which bias, sink and mask may be added before it is applied. Gradients flow into all
     * but the mask.
     *
     * @param query [batch, heads, queries, headDim], or [batch, queries, heads, headDim] by {@code layout}
     * @param key likewise with keys in place of queries. It may have fewer heads: query head h reads key head {@code h / (heads /
     *     keyHeads)}
     * @param value shaped like the key, but its last axis may have a length of its own
     * @throws ShapeException if they do not fit together
     */
    public static AttentionCall<Tensor> call(
            Tensor query, Tensor key, Tensor value, AttentionSpec spec, Layout layout) {
        int headAxis = layout == Layout.BHND ? 1 : 2;
        int rowAxis = 3 - headAxis;
        boolean fits = query.rank() == 4
                && key.rank() == 4
                && value.rank() == 4
                && key.size(0) == query.size(0)
                && value.size(0) == query.size(0)
                && value.size(headAxis) == key.size(headAxis)
                && value.size(rowAxis) == key.size(rowAxis)
                && key.size(3) == query.size(3);
        if (!fits) {
            throw new ShapeException(
                    "attention", "query " + query + ", key " + key + ", value " + value + " do not fit as " + layout);
        }
        AttentionShape shape = new AttentionShape(
                query.size(0),
                query.size(headAxis),
                key.size(headAxis),
                query.size(rowAxis),
                key.size(rowAxis),
                query.size(3),
                value.size(3),
                layout);
        return AttentionCall.of(shape, spec, query, key, value);
    }

    /** A bias or mask by query and key, [batch or 1, heads or 1, queries or 1, keys or 1]. */
    public static ScoreBias<Tensor> bias(Tensor x) {
        requireRank(4, x, "bias", "[batch, heads, queries, keys]");
        return new ScoreBias<>(x, x.size(0), x.size(1), x.size(2), x.size(3));
    }

    /**
     * A bias by relative position: element {@code reach + clamp(p, -reach, reach)} is added where the key stands p positions
     * after the query, both as {@link AttentionSpec} places them.
     *
     * @param x [batch or 1, heads or 1, 2 reach + 1]
     */
    public static ScoreBias<Tensor> relativeBias(Tensor x) {
        requireRank(3, x, "relative bias", "[batch, heads, 2 reach + 1]");
        int length = x.size(2);
        if (length % 2 == 0) {
            throw new ShapeException(
                    "attention", "relative bias " + x + ", expected an odd number of relative positions, 2 reach + 1");
        }
        return ScoreBias.relative(x, x.size(0), x.size(1), length / 2);
    }

    /** A mask that hides the keys for which {@code allowed}, I32 or floating and of the extents of a bias, is 0. */
    public static ScoreBias<Tensor> allowed(Tensor allowed) {
        Tape tape = allowed.tape();
        return bias(allowed.add(0).select(tape.full(0), tape.full(Double.NEGATIVE_INFINITY)));
    }

    private static void requireRank(int rank, Tensor x, String name, String expected) {
        if (x.rank() != rank) {
            throw new ShapeException("attention", name + " " + x + ", expected " + expected);
        }
    }

    /** {@link #apply(AttentionCall)} for the output alone, nothing masked but by {@code spec}. */
    public static Tensor apply(Tensor query, Tensor key, Tensor value, AttentionSpec spec) {
        return apply(call(query, key, value, spec)).output();
    }

    /** Attention of every query over the keys it may see. */
    public static Result apply(AttentionCall<Tensor> call) {
        AttentionShape shape = call.shape();
        call.spec().requireFit(call.query().array().dtype());
        Tape tape = call.query().tape();
        int[] outputShape = call.query().shape();
        outputShape[3] = shape.valueDim();
        Tensor output = tape.result(outputShape);
        Tensor logSumExp = tape.result(shape.batch(), shape.heads(), shape.queries());
        List<Tensor> differentiable = call.inputs().present();
        AttentionOps backend = tape.backend().attention();
        AttentionCall<DeviceArray> arrays = call.map(Tensor::array);
        AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(output.array(), logSumExp.array());
        if (tape.records(differentiable)) {
            outputs = outputs.withState(backend, arrays, tape::allocate);
        }
        backend.forward(arrays, outputs);
        Result result = new Result(output, logSumExp);
        AttentionGradient.Point point = new AttentionGradient.Point(call, result, outputs);
        tape.record(differentiable, List.of(output, logSumExp), g -> AttentionGradient.backward(point, g));
        return result;
    }

    /**
     * Scores or probabilities of {@code count} queries from {@code firstQuery} on, to be looked at: [batch, heads, count,
     * keys]. No gradient flows through them.
     *
     * @param result what {@link #apply(AttentionCall)} gave for the same call
     */
    public static Tensor weights(
            AttentionCall<Tensor> call, Result result, ScoreStage stage, int firstQuery, int count) {
        AttentionShape shape = call.shape();
        Tape tape = call.query().tape();
        Tensor weights = tape.result(shape.batch(), shape.heads(), count, shape.keys());
        AttentionOutputs<DeviceArray> outputs = new AttentionOutputs<>(
                result.output().array(), result.logSumExp().array());
        tape.backend().attention().weights(call.map(Tensor::array), outputs, stage, firstQuery, weights.array());
        return weights;
    }
}
