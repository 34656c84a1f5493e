package org.fovea.backend;

import org.jspecify.annotations.Nullable;

/**
 * Softmax attention {@code O = softmax(scale Q K^T + mask) V} and its gradient, without forming the score matrix in the
 * fused implementations. Formulas: FlashAttention-2 (Dao 2023, arXiv:2307.08691).
 *
 * <p>Keys and values that no query sees, such as padding, may hold anything, NaN included: nothing of them reaches a
 * result, and their gradients are 0.
 */
public interface AttentionOps extends MathOps {

    /**
     * @param output written, in the layout of {@code shape}
     * @param logSumExp written, [batch, heads, queries]: log of the sum of exp of the visible scores, +infinity for a row
     *     that sees nothing
     */
    default void attentionForward(
            AttentionShape shape, AttentionSpec spec, AttentionInputs in, DeviceArray output, DeviceArray logSumExp) {
        AttentionCompositions.forward(this, shape, spec, in, output, logSumExp);
    }

    /**
     * Gradients of {@link #attentionForward}, given its outputs and their gradients.
     *
     * @param dLogSumExp gradient of the log-sum-exp, or null if it is zero
     * @param dQuery written, as are dKey and dValue
     */
    default void attentionBackward(
            AttentionShape shape,
            AttentionSpec spec,
            AttentionInputs in,
            DeviceArray output,
            DeviceArray logSumExp,
            DeviceArray dOutput,
            @Nullable DeviceArray dLogSumExp,
            DeviceArray dQuery,
            DeviceArray dKey,
            DeviceArray dValue) {
        AttentionCompositions.backward(
                this, shape, spec, in, output, logSumExp, dOutput, dLogSumExp, dQuery, dKey, dValue);
    }

    /**
     * Attention of one new query per batch row over the {@code counts[b]} most recent slots of its ring buffer, the
     * newest being {@code newest}. A count of 0 gives output 0.
     *
     * @param query [batch, heads, headDim]
     * @param keyCache [batch, capacity, heads, headDim]
     * @param valueCache [batch, capacity, heads, valueDim]
     * @param counts I32 [batch], each from 0 to capacity
     * @param output written, [batch, heads, valueDim]
     */
    default void attentionDecode(
            DecodeShape shape,
            float scale,
            DeviceArray query,
            DeviceArray keyCache,
            DeviceArray valueCache,
            DeviceArray counts,
            int newest,
            DeviceArray output) {
        AttentionCompositions.decode(this, shape, scale, query, keyCache, valueCache, counts, newest, output);
    }
}
