// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import java.util.function.Function;

/**
 * Rows of a minibatch as they were played, which the policy losses compare a new policy with.
 *
 * @param taken the actions: I32 [rows, parts] of a categorical policy, [rows, dim] of a normal one
 * @param oldLogProbs [rows], the actions' log-probabilities when they were chosen
 * @param oldValues [rows], the estimates of that time
 * @param advantages [rows]
 * @param returns [rows]
 * @param clip [1], range of the probability ratio, infinite for none; read on the device, so that captured steps follow a schedule
 */
public record PpoBatch<T>(int rows, T taken, T oldLogProbs, T oldValues, T advantages, T returns, T clip) {

    /** The same of other arrays. */
    public <R> PpoBatch<R> map(Function<? super T, ? extends R> change) {
        return new PpoBatch<>(
                rows,
                change.apply(taken),
                change.apply(oldLogProbs),
                change.apply(oldValues),
                change.apply(advantages),
                change.apply(returns),
                change.apply(clip));
    }
}
