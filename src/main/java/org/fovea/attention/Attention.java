package org.fovea.attention;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.AttentionArguments;
import org.fovea.backend.AttentionInputs;
import org.fovea.backend.AttentionShape;
import org.fovea.backend.AttentionShape.Layout;
import org.fovea.backend.AttentionSpec;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.OutputGradients;
import org.fovea.backend.ShapeException;
import org.fovea.tensor.Gradients;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Attention {@code O = softmax(scale Q K^T + mask) V}, differentiable to any order. The value, its gradient and
 * the gradient of that are computed by the backend without forming the score matrix; derivatives of higher order go through
 * {@link AttentionDefinition}, which forms it.
 */
public final class Attention {

    /**
     * Output, shaped like the query but with the value's last axis, and the log of the sum of exp of the visible scores,
     * [batch, heads, queries]. Gradients flow through both.
     */
    public record Result(Tensor output, Tensor logSumExp) {}

    /** What one call keeps for its backward. */
    private record Call(
            AttentionShape shape, AttentionSpec spec, AttentionMask mask, Tensor query, Tensor key, Tensor value) {
        AttentionInputs inputs() {
            return mask.inputs(query, key, value);
        }
    }

    private Attention() {}

    /** {@link #withLogSumExp} for the output alone, nothing masked but by {@code spec}, in layout {@link Layout#BHND}. */
    public static Tensor apply(Tensor query, Tensor key, Tensor value, AttentionSpec spec) {
        return apply(query, key, value, spec, AttentionMask.NONE, Layout.BHND);
    }

    /** {@link #withLogSumExp} for the output alone. */
    public static Tensor apply(
            Tensor query, Tensor key, Tensor value, AttentionSpec spec, AttentionMask mask, Layout layout) {
        return withLogSumExp(query, key, value, spec, mask, layout).output();
    }

    /**
     * Attention of every query over the keys it may see.
     *
     * @param query [batch, heads, queries, headDim], or [batch, queries, heads, headDim] by {@code layout}
     * @param key likewise with keys in place of queries
     * @param value likewise; its last axis may have a length of its own
     */
    public static Result withLogSumExp(
            Tensor query, Tensor key, Tensor value, AttentionSpec spec, AttentionMask mask, Layout layout) {
        AttentionShape shape = shapeOf(query, key, value, layout);
        Call call = new Call(shape, spec, mask, query, key, value);
        Tape tape = query.tape();
        AttentionInputs inputs = call.inputs();
        inputs.check(shape);
        int[] outputShape = query.shape();
        outputShape[3] = shape.valueDim();
        Tensor output = tape.result(outputShape);
        Tensor logSumExp = tape.result(shape.batch(), shape.heads(), shape.queries());
        tape.backend().attentionForward(shape, spec, inputs, output.array(), logSumExp.array());
        tape.record(
                List.of(query, key, value),
                List.of(output, logSumExp),
                g -> backward(call, output, logSumExp, g.ofOrNull(output), g.ofOrNull(logSumExp), g));
        return new Result(output, logSumExp);
    }

    private static void backward(
            Call call,
            Tensor output,
            Tensor logSumExp,
            @Nullable Tensor gradientOfOutput,
            @Nullable Tensor dLogSumExp,
            Gradients g) {
        Tape tape = output.tape();
        Tensor dOutput = orZeros(gradientOfOutput, output);
        Tensor dQuery = tape.result(call.query.shape());
        Tensor dKey = tape.result(call.key.shape());
        Tensor dValue = tape.result(call.value.shape());
        DeviceArray dLogSumExpArray = dLogSumExp == null ? null : dLogSumExp.array();
        tape.backend()
                .attentionBackward(
                        call.shape,
                        call.spec,
                        call.inputs(),
                        output.array(),
                        logSumExp.array(),
                        dOutput.array(),
                        dLogSumExpArray,
                        new AttentionArguments(dQuery.array(), dKey.array(), dValue.array()));
        List<Tensor> inputs = dLogSumExp == null
                ? List.of(call.query, call.key, call.value, dOutput)
                : List.of(call.query, call.key, call.value, dOutput, dLogSumExp);
        tape.record(
                inputs,
                List.of(dQuery, dKey, dValue),
                second -> doubleBackward(
                        call,
                        output,
                        logSumExp,
                        dOutput,
                        dLogSumExp,
                        orZeros(second.ofOrNull(dQuery), dQuery),
                        orZeros(second.ofOrNull(dKey), dKey),
                        orZeros(second.ofOrNull(dValue), dValue),
                        second));
        g.add(call.query, dQuery);
        g.add(call.key, dKey);
        g.add(call.value, dValue);
    }

    /** The backward is a gradient, so its own gradient is its tangent in the direction of the gradients that flow back. */
    private static void doubleBackward(
            Call call,
            Tensor output,
            Tensor logSumExp,
            Tensor dOutput,
            @Nullable Tensor dLogSumExp,
            Tensor queryTangent,
            Tensor keyTangent,
            Tensor valueTangent,
            Gradients g) {
        Tape tape = output.tape();
        Tensor outputTangent = tape.result(output.shape());
        Tensor logSumExpTangent = tape.result(logSumExp.shape());
        Tensor dQueryTangent = tape.result(call.query.shape());
        Tensor dKeyTangent = tape.result(call.key.shape());
        Tensor dValueTangent = tape.result(call.value.shape());
        tape.backend()
                .attentionBackwardTangent(
                        call.shape,
                        call.spec,
                        call.inputs(),
                        new AttentionArguments(queryTangent.array(), keyTangent.array(), valueTangent.array()),
                        output.array(),
                        logSumExp.array(),
                        new OutputGradients(
                                dOutput.array(), dLogSumExp == null ? null : dLogSumExp.array(), null, null),
                        outputTangent.array(),
                        logSumExpTangent.array(),
                        new AttentionArguments(dQueryTangent.array(), dKeyTangent.array(), dValueTangent.array()));
        List<Tensor> inputs = new ArrayList<>(
                List.of(call.query, call.key, call.value, dOutput, queryTangent, keyTangent, valueTangent));
        if (dLogSumExp != null) {
            inputs.add(dLogSumExp);
        }
        List<Tensor> outputs = List.of(outputTangent, logSumExpTangent, dQueryTangent, dKeyTangent, dValueTangent);
        AttentionDefinition definition = new AttentionDefinition(call.shape, call.spec, call.mask);
        tape.record(
                inputs,
                outputs,
                third -> third.addByDefinition(
                        inputs,
                        outputs,
                        () -> definition.doubleBackward(
                                call.query,
                                call.key,
                                call.value,
                                dOutput,
                                dLogSumExp,
                                queryTangent,
                                keyTangent,
                                valueTangent)));
        g.add(dOutput, outputTangent);
        if (dLogSumExp != null) {
            g.add(dLogSumExp, logSumExpTangent);
        }
        g.add(call.query, dQueryTangent);
        g.add(call.key, dKeyTangent);
        g.add(call.value, dValueTangent);
    }

    private static Tensor orZeros(@Nullable Tensor gradient, Tensor of) {
        return gradient == null ? of.tape().zeros(of.shape()) : gradient;
    }

    private static AttentionShape shapeOf(Tensor query, Tensor key, Tensor value, Layout layout) {
        boolean fits = query.rank() == 4 && key.rank() == 4 && value.rank() == 4;
        int headAxis = layout == Layout.BHND ? 1 : 2;
        int rowAxis = 3 - headAxis;
        fits = fits
                && key.size(0) == query.size(0)
                && value.size(0) == query.size(0)
                && key.size(headAxis) == query.size(headAxis)
                && value.size(headAxis) == query.size(headAxis)
                && value.size(rowAxis) == key.size(rowAxis)
                && key.size(3) == query.size(3);
        if (!fits) {
            throw new ShapeException(
                    "attention", "query " + query + ", key " + key + ", value " + value + " do not fit as " + layout);
        }
        return new AttentionShape(
                query.size(0),
                query.size(headAxis),
                query.size(rowAxis),
                key.size(rowAxis),
                query.size(3),
                value.size(3),
                layout);
    }
}
