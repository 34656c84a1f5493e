// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import java.util.function.Function;

/**
 * Steps of environments from which advantages are estimated. All arrays [environments, steps].
 *
 * @param nextValues the value of the state that followed: of the final observation where the episode was truncated, 0 where it
 *     terminated
 * @param done 1 where an episode ended either way, else 0
 */
public record Trajectories<T>(int environments, int steps, T rewards, T values, T nextValues, T done) {

    /** The same of other arrays. */
    public <R> Trajectories<R> map(Function<? super T, ? extends R> change) {
        return new Trajectories<>(
                environments,
                steps,
                change.apply(rewards),
                change.apply(values),
                change.apply(nextValues),
                change.apply(done));
    }
}
