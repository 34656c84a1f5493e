package org.fovea.attention;

import org.fovea.backend.attention.AttentionInputs;
import org.fovea.backend.attention.AttentionOutputs;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.tensor.Tensor;

/** One attention that was computed: what was asked, what of, and what came out. */
record AttentionCall(
        AttentionShape shape,
        AttentionSpec spec,
        AttentionOperands operands,
        Tensor output,
        Tensor logSumExp,
        AttentionOutputs outputs) {

    AttentionInputs inputs() {
        return operands.inputs();
    }

    /** Whether this is the query, key or value, whose gradients are always computed together. */
    boolean isRow(Tensor x) {
        return x == operands.query() || x == operands.key() || x == operands.value();
    }
}
