// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

/**
 * The inner loops of attention on one tile. A score tile is held transposed, {@code s[key][query]}, so that the queries
 * are the lanes of a vector: a softmax then runs down the lanes and needs no horizontal reduction, masks are lane-wise
 * comparisons, and keys and values are read where they lie, in any layout.
 *
 * <p>"A group" is {@link #lanes} neighbouring queries, one vector. The scale of the scores is folded into the
 * queries. Implementations agree to rounding, and each gives the same bits on every call.
 */
public interface AttentionKernels {

    /** Rows of a register tile of {@link #multiply}: cutting rows at multiples of it wastes nothing. */
    int ROWS = 8;

    /** Queries in a group: column counts of {@link #multiply} must be multiples of it. */
    int lanes();

    /** The inner loops of softcap and dropout, on groups as large as these. */
    PairKernels pairs();

    /** The inner loops on rows of matrices that are not transposed. */
    AttentionRowKernels rows();

    /**
     * Writes {@code factor} times the transpose of a [rows, columns] matrix, each transposed row filled up with zeros to a
     * whole number of groups.
     */
    void transpose(
            float[] source,
            int sourceOffset,
            int sourceStride,
            int rows,
            int columns,
            float factor,
            float[] target,
            int targetOffset,
            int targetStride);

    /**
     * {@code c[r][j] = sum over k of a[r][k] b[k][j]}, added to c if {@code accumulate}. Element [r][k] of a lies at {@code
     * aOffset + r * aRowStride + k * aInnerStride}; rows of b and c are contiguous.
     *
     * @param careful whether b may hold NaN or infinity where a is 0 and must be left out there; slow
     * @param columns of b and c, a multiple of {@link #lanes}
     */
    void multiply(
            boolean accumulate,
            boolean careful,
            float[] a,
            int aOffset,
            int aRowStride,
            int aInnerStride,
            float[] b,
            int bOffset,
            int bStride,
            float[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns);

    /**
     * Adds to the scores of one group what a mask holds for them: -infinity hides whatever
     * the score is, and no finite number does.
     */
    void addMask(float[] mask, int maskOffset, float[] scores, int offset, int stride, int keys);

    /** Sets the scores of one group to -infinity for keys outside {@code [low, high)} of their query. */
    void hideOutsideBand(
            float[] scores, int offset, int stride, int firstKey, int keys, int[] low, int[] high, int lane);

    /** Sets the scores of one group to -infinity where the segments of key and query differ. */
    void hideOtherSegments(
            float[] scores,
            int offset,
            int stride,
            int keys,
            int[] keySegments,
            int keySegmentsOffset,
            int[] querySegments,
            int lane);

    /**
     * Online softmax of one group: takes {@code keys} more scores into the running maximum and sum, and replaces the
     * scores by {@code e^(score - maximum)}. The state of the group is three vectors, {@code stateStride} apart from {@code
     * stateOffset} on: maximum, sum, and, written, what earlier sums must be multiplied by.
     *
     * @return whether some of these factors is not 1
     */
    boolean onlineSoftmax(
            float[] scores, int offset, int stride, int keys, float[] state, int stateOffset, int stateStride);

    /**
     * Turns the running maxima of one group into log-sum-exps and the sums into their inverses; a sum of 0 gives
     * +infinity and inverse 0. The state is as in {@link #onlineSoftmax}.
     */
    void finishSoftmax(float[] state, int stateOffset, int stateStride);

    /**
     * For one group, replaces scores by probabilities {@code P = e^(score - maximum) inverse} and their gradients {@code dP} by
     * score gradients {@code P (dP - delta)}, 0 wherever P is.
     *
     * @param wholeRows whether these are all keys the queries see; then {@code sum over keys of P dP} is added to delta first
     * @param state maxima; {@code stateStride} further on delta, the product of output and its gradient, which is that sum over
     *     all keys, less the gradient of the log-sum-exp; at {@code 5 stateStride} the inverses of the sums
     */
    void scoreGradients(
            boolean wholeRows,
            float[] scores,
            int offset,
            float[] gradients,
            int gradientsOffset,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride);

    /**
     * For one group, replaces scores by probabilities as {@link #scoreGradients} does, and tangents T of scores by those of
     * probabilities, {@code P (T - r)} with {@code r = sum over keys of P T}; 0 wherever P is. These are all keys
     * the queries see.
     *
     * @param state maxima; {@code stateStride} further on what is to be added to r, and then r; at {@code 5
     *     stateStride} the inverses of the sums
     */
    void probabilityTangents(
            float[] tile,
            int scores,
            int tangents,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride);

    /**
     * After {@link #probabilityTangents}, replaces gradients dP of probabilities by those of scores, {@code P (dP - delta)},
     * and the tangents W of dP by those of the scores' gradients, {@code P. (dP - delta) + P (W - e)}; 0 wherever P is.
     *
     * @param state at {@code 2 stateStride} delta less {@code sum over keys of P dP}, which is added, and at {@code 3
     *     stateStride} e less {@code sum over keys of P. dP + P W}, likewise; at {@code 4 stateStride} the sum over keys of
     *     P.
     */
    void scoreGradientTangents(
            float[] tile,
            int probabilities,
            int tangents,
            int gradients,
            int gradientTangents,
            int stride,
            int keys,
            float[] state,
            int stateOffset,
            int stateStride);
}
