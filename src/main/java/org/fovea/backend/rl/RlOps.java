// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** Sampling, advantages, the policy loss with its gradient, and the optimiser's step. */
public interface RlOps {

    /**
     * One action per row from the softmax of its logits, by inversion of uniform number {@code draw.first() + row} of
     * the stream: the first action whose cumulative probability reaches the number. A logit of -infinity is
     * never chosen.
     *
     * @param logits [rows, actions]
     * @param sampled written, I32 [rows]
     * @param logProbs written, [rows]
     */
    void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs);

    /** Index of each row's largest element, the first of equals; x [rows, width], y I32 [rows]. */
    void argmax(int rows, int width, DeviceArray x, DeviceArray y);

    /**
     * One action per row from independent normals with the given means and shared log standard deviations. Element (row,
     * d) uses uniform numbers {@code 2 ((draw.first() + row) dim + d)} and the next of the stream, by Box-Muller (cosine).
     *
     * @param mean [rows, dim]
     * @param logStd [dim]
     * @param sampled written, [rows, dim], not clipped
     * @param logProbs written, [rows]
     */
    void sampleGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            RandomRange draw,
            DeviceArray sampled,
            DeviceArray logProbs);

    /**
     * Takes in what came of a step, and takes the clock to the next: of environments whose position is not below {@code origin}, which
     * have acted since their segment began, {@code return = discountedReturn * gamma + reward}, and the clock's discounted return
     * becomes that; the age grows by one. Where the episode ended the age becomes 1, the discounted return 0, and the number of
     * episodes grows by one. Then positions grow by one, of all, and the stream by {@code streams}.
     *
     * @param ended written where an environment has acted, [count]: 1 if its episode ended, else 0
     * @param returns written likewise, [count]
     */
    void advance(
            StepArrays<DeviceArray> step,
            StepClock clock,
            int origin,
            int streams,
            float gamma,
            DeviceArray ended,
            DeviceArray returns);

    /** Makes numbers of steps, as the encoding says; {@code encoded}, [rows, size], is written. */
    void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded);

    /**
     * Numbers those flags that are not 0, in order.
     *
     * @param flags I32
     * @param next I32 [1], the number of the first; becomes the number that the next would have
     * @param numbers I32, written: -1 where the flag is 0
     */
    void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers);

    /**
     * Generalised advantage estimation (Schulman et al. 2015, arXiv:1506.02438):
     *
     * <pre>
     *   delta_t = reward_t + gamma nextValue_t - value_t
     *   advantage_t = delta_t + gamma lambda (1 - done_t) advantage_{t+1};   return_t = advantage_t + value_t
     * </pre>
     *
     * @param advantages written, [environments, steps], as are returns
     */
    void advantages(
            Trajectories<DeviceArray> trajectories,
            float gamma,
            float lambda,
            DeviceArray advantages,
            DeviceArray returns);

    /**
     * Statistics of the PPO loss of a categorical policy, and its gradients for the network's outputs. An action has some
     * parts, each a choice of one of {@code actions} by a softmax of its own: its log-probability and entropy are the sums of
     * theirs.
     *
     * @param logits [rows, parts, actions]
     * @param values [rows]
     * @param dLogits written, [rows, parts, actions]: gradient of the weighted loss
     * @param dValues written, [rows]
     * @param statistics written, {@link PpoLoss#STATISTICS} elements
     */
    void ppoCategorical(
            PpoLoss loss,
            PpoBatch<DeviceArray> batch,
            int parts,
            int actions,
            DeviceArray logits,
            DeviceArray values,
            DeviceArray dLogits,
            DeviceArray dValues,
            DeviceArray statistics);

    /**
     * The same for a diagonal normal policy.
     *
     * @param mean [rows, dim]
     * @param logStd [dim]; its length says what dim is
     * @param dMean written, [rows, dim]
     * @param dLogStd written, [dim]
     */
    void ppoGaussian(
            PpoLoss loss,
            PpoBatch<DeviceArray> batch,
            DeviceArray mean,
            DeviceArray logStd,
            DeviceArray values,
            DeviceArray dMean,
            DeviceArray dLogStd,
            DeviceArray dValues,
            DeviceArray statistics);

    /**
     * Sets {@code flag} to 1 if the mean of {@link PpoLoss#APPROXIMATE_KL} over {@code rows} rows is above {@code limit}, and else
     * leaves it as it is. The sum is taken in float64, record by record.
     *
     * @param statistics records of {@link PpoLoss#STATISTICS} elements, one after another, of parts of the rows
     * @param flag [1]
     */
    void flagDivergence(double limit, long rows, DeviceArray statistics, DeviceArray flag);

    /**
     * One step of Adam after clipping by global norm; parameters, moments and state are updated in place. A norm that is
     * not finite stops the optimiser, see {@link AdamSettings#SKIP}. Where weights decay, {@code learningRate * weightDecay *
     * parameter} is taken off before the step of Adam.
     *
     * @param decayed 1 where a parameter decays and 0 elsewhere, null for nowhere
     * @param state {@link AdamSettings#STATE_SIZE} elements
     */
    void adam(
            AdamSettings settings,
            DeviceArray parameters,
            DeviceArray gradients,
            @Nullable DeviceArray decayed,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state);
}
