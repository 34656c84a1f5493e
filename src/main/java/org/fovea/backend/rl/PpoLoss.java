// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

/**
 * Coefficients of the PPO loss {@code mean(policy - entropyCoef entropy + valueCoef value)} (Schulman et al. 2017,
 * arXiv:1707.06347), with per row
 *
 * <pre>
 *   ratio  = exp(logProb - oldLogProb)
 *   policy = max(-advantage ratio, -advantage clamp(ratio, 1 - clip, 1 + clip)), clip that of the {@link PpoBatch}
 *   value  = (value - return)^2 / 2, or with valueClip > 0 the larger of that and the same of
 *            oldValue + clamp(value - oldValue, -valueClip, valueClip)
 * </pre>
 *
 * @param valueClip range of the value's change, 0 for none
 * @param rowWeight factor of each row's loss: 1 / rows of the whole minibatch, of which a call may see a part
 */
public record PpoLoss(float entropyCoef, float valueCoef, float valueClip, float rowWeight) {

    /** Elements of a statistics array. Each is a sum over rows, of the unweighted quantity. */
    public static final int STATISTICS = 6;

    /** Index of the policy loss in the statistics. */
    public static final int POLICY_LOSS = 0;

    /** Index of the value loss. */
    public static final int VALUE_LOSS = 1;

    /** Index of the entropy of the policy, in nats. */
    public static final int ENTROPY = 2;

    /** Index of the estimate {@code ratio - 1 - log ratio} of KL(old || new) (Schulman's k3), in nats. */
    public static final int APPROXIMATE_KL = 3;

    /** Index of the number of rows whose ratio left the clip range. */
    public static final int CLIPPED = 4;

    /** Index of the largest |ratio - 1| of any row; combined by maximum, not by sum. */
    public static final int MAX_RATIO_DEVIATION = 5;
}
