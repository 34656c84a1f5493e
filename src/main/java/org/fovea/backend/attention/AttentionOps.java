// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.List;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Memory;

/**
 * Softmax attention {@code O = softmax(scale Q K^T + mask) V} in all the forms of {@link AttentionSpec}, its gradient and
 * the tangents of both, without forming the score matrix in the fused implementations. Formulas: FlashAttention-2 (Dao
 * 2023, arXiv:2307.08691). They are given for the plain dot product; what else there may be is written out in {@code
 * docs/attention.md}.
 *
 * <p>Query, key, value, output and their gradients and tangents are all of one floating type, which may be {@link
 * DType#BF16} or {@link DType#F16}, and {@link DType#F64} on the CPU. Log-sum-exp, bias, sink, mask and slopes, with their
 * gradients and tangents, are of the type of the arithmetic: {@link Memory#floatType()}, or F64 where the query is.
 *
 * <p>A sink is in the denominator always. A row that sees no key, or whose scores are all -infinity, has output 0; with a sink its
 * log-sum-exp is the sink's score, its probability is all the sink's, and every derivative of any order follows the same
 * formulas: the gradient of the log-sum-exp flows to the sink. Without a sink the log-sum-exp is +infinity, and the row gives
 * every gradient 0 and has every tangent 0. The gradient of an output that no key is in reaches nothing, and may be NaN.
 *
 * <p>Probabilities of a row, the sink's among them, add up to 1 however large the scores, in every derivative and in {@link
 * #weights}.
 *
 * <p>Keys and values that no query sees, such as padding, may hold anything, NaN included: nothing of them reaches a
 * result, and their gradients are 0.
 */
public interface AttentionOps {

    /**
     * Elements of the state of an attention ({@link AttentionOutputs#state}); 0 where derivatives need nothing but output
     * and log-sum-exp. A function of the extents, types and presence of the arguments, not of what the arrays hold.
     */
    default long stateSize(AttentionCall<? extends DeviceArray> call) {
        return 0;
    }

    /**
     * Attention itself.
     *
     * @param out written: the output, the log of the sum of exp of the visible scores and the sink, +infinity where there is
     *     neither, and the state if there is one
     */
    void forward(AttentionCall<DeviceArray> call, AttentionOutputs<DeviceArray> out);

    /**
     * Gradients of {@link #forward}, given its outputs and their gradients.
     *
     * @param out what {@link #forward} wrote, with a state if {@link #stateSize} is not 0, as for every
     *     derivative that is given outputs
     * @param dOutputs gradients of the output and, if it is not zero, of the log-sum-exp
     * @param gradients written: of query, key and value, and of bias and sink where these are wanted
     */
    void backward(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> gradients);

    /**
     * The tangent of {@link #forward}, its Jacobian-vector product, given its outputs. With {@code P} the
     * probabilities and a dot for a tangent:
     *
     * <pre>
     *   T = scale (Q. K^T + Q K.^T);  r_i = sum_j P_ij T_ij
     *   O. = (P (T - r)) V + P V.;  logSumExp. = r
     * </pre>
     *
     * @param tangents of query, key and value; a bias or sink without one stands still
     * @param outputTangents written: of the output and of the log-sum-exp, 0 for a row that sees nothing, without a sink
     */
    void tangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> outputTangents);

    /**
     * The tangent of {@link #backward}. Since the backward is the gradient of {@code dO . O + dLSE . LSE}, and the
     * second derivative of that is symmetric, this is also the gradient of the backward (double backward): with the
     * gradients of dQuery, dKey and dValue as tangents of query, key and value, it gives the gradients for dOutput, dLogSumExp,
     * query, key and value in this order. Besides the names of {@link #tangent}:
     *
     * <pre>
     *   dP = dO V^T;  D_i = dO_i . O_i - dLSE_i;  dS = P (dP - D)
     *   P. = P (T - r);  W = dO V.^T + dO. V^T;  e_i = dO_i . O._i + dO._i . O_i - dLSE._i
     *   dS. = P. (dP - D) + P (W - e)
     *   dQ. = scale (dS. K + dS K.);  dK. = scale (dS.^T Q + dS^T Q.);  dV. = P.^T dO + P^T dO.
     * </pre>
     *
     * @param dOutputs as for {@link #backward}
     * @param tangents as for {@link #tangent}, and those of {@code dOutputs}, where null is 0
     * @param results written: the tangents of the inputs' gradients, that of bias or sink if it is there, and those of output
     *     and log-sum-exp as {@link #tangent} does
     */
    void backwardTangent(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            AttentionPlane<DeviceArray> dOutputs,
            AttentionPlane<DeviceArray> tangents,
            AttentionPlane<DeviceArray> results);

    /**
     * Attention and its gradient over a ring of series, which gives their derivatives of any order: every sum and product of
     * {@link #forward} and {@link #backward} is one of series, exp is the recurrence of {@link
     * SeriesRing#derivations}. Each order has its planes; those of the scores live in tiles.
     *
     * @param call plane 0 of query, key, value, bias and sink, and all that has no derivative
     * @param arguments {@link SeriesRing#planes} of them; what is null is 0. Of plane 0 only dO and dLSE are read
     * @param results as many, written; what is null is not wanted. Without any gradient wanted, only the forward is computed
     */
    void series(
            AttentionCall<DeviceArray> call,
            SeriesRing ring,
            List<AttentionPlane<DeviceArray>> arguments,
            List<AttentionPlane<DeviceArray>> results);

    /**
     * Scores or probabilities of some queries, to be looked at.
     *
     * @param out what {@link #forward} gave; no state is needed
     * @param firstQuery of those that are asked for
     * @param weights written, of the type of the log-sum-exp, [batch, heads, queries asked for, keys]
     */
    void weights(
            AttentionCall<DeviceArray> call,
            AttentionOutputs<DeviceArray> out,
            ScoreStage stage,
            int firstQuery,
            DeviceArray weights);

    /** Computes one decoding step; {@code output}, [batch, heads, valueDim], is written. */
    void decode(DecodeCall<DeviceArray> call, DeviceArray output);
}
