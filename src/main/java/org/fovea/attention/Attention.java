package org.fovea.attention;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreStage;
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

    /** {@link #apply(AttentionOperands, AttentionSpec)} for the output alone, nothing masked but by {@code spec}. */
    public static Tensor apply(Tensor query, Tensor key, Tensor value, AttentionSpec spec) {
        return apply(AttentionOperands.of(query, key, value), spec).output();
    }

    /** {@link #apply(AttentionOperands, AttentionSpec)} for the output alone. */
    public static Tensor apply(
            Tensor query, Tensor key, Tensor value, AttentionSpec spec, AttentionMask mask, Layout layout) {
        return withLogSumExp(query, key, value, spec, mask, layout).output();
    }

    /** {@link #apply(AttentionOperands, AttentionSpec)} of query, key and value, without bias and sink. */
    public static Result withLogSumExp(
            Tensor query, Tensor key, Tensor value, AttentionSpec spec, AttentionMask mask, Layout layout) {
        return apply(AttentionOperands.of(query, key, value).withMask(mask).withLayout(layout), spec);
    }

    /** Attention of every query over the keys it may see. */
    public static Result apply(AttentionOperands operands, AttentionSpec spec) {
        AttentionShape shape = operands.shape();
        AttentionInputs inputs = operands.inputs();
        inputs.check(shape);
        spec.requireFit(inputs.query().dtype());
        Tape tape = operands.query().tape();
        int[] outputShape = operands.query().shape();
        outputShape[3] = shape.valueDim();
        Tensor output = tape.result(outputShape);
        Tensor logSumExp = tape.result(shape.batch(), shape.heads(), shape.queries());
        List<Tensor> differentiable = differentiable(operands);
        AttentionOutputs outputs = new AttentionOutputs(output.array(), logSumExp.array());
        if (tape.records(differentiable)) {
            outputs = outputs.withState(tape.backend().attention(), shape, spec, inputs, tape::allocate);
        }
        tape.backend().attention().forward(shape, spec, inputs, outputs);
        AttentionCall call = new AttentionCall(shape, spec, operands, output, logSumExp, outputs);
        tape.record(differentiable, List.of(output, logSumExp), g -> AttentionGradient.backward(call, g));
        return new Result(output, logSumExp);
    }

    private static List<Tensor> differentiable(AttentionOperands operands) {
        List<Tensor> inputs = new ArrayList<>(List.of(operands.query(), operands.key(), operands.value()));
        if (operands.bias() != null) {
            inputs.add(operands.bias());
        }
        if (operands.sink() != null) {
            inputs.add(operands.sink());
        }
        return inputs;
    }

    /**
     * Scores or probabilities of {@code count} queries from {@code firstQuery} on, to be looked at: [batch, heads, count,
     * keys]. No gradient flows through them.
     *
     * @param result what {@link #apply(AttentionOperands, AttentionSpec)} gave for the same operands and spec
     */
    public static Tensor weights(
            AttentionOperands operands,
            AttentionSpec spec,
            Result result,
            ScoreStage stage,
            int firstQuery,
            int count) {
        AttentionShape shape = operands.shape();
        Tape tape = operands.query().tape();
        Tensor weights = tape.result(shape.batch(), shape.heads(), count, shape.keys());
        tape.backend()
                .attention()
                .weights(
                        shape,
                        spec,
                        operands.inputs(),
                        new AttentionOutputs(
                                result.output().array(), result.logSumExp().array()),
                        stage,
                        firstQuery,
                        weights.array());
        return weights;
    }
}
