// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The outcome of one step of many environments, on the device: what the policy acts on next. It comes up from the host, where
 * environments play in Java, or a kernel that plays them writes it. An environment whose episode ended has begun the next in
 * the same step, as one of {@code org.fovea.env.VectorEnvironment} has.
 *
 * <p>The arrays stay the same ones from step to step, so that a captured step can read them.
 *
 * @param count environments
 * @param size numbers of an observation
 * @param observations [count, size] to act on next; the first of the next episode where one ended
 * @param rewards [count]
 * @param terminated I32 [count], 1 where the episode ended by itself, else 0
 * @param truncated I32 [count], 1 where it was cut, which is never where it terminated, else 0
 * @param finalObservations [count, size]; the last of the episode where it ended either way, unspecified elsewhere
 * @param actionMasks I32 [count, sum of the numbers of choices], 1 where a choice is allowed and 0 where it is forbidden, of the
 *     state that observations show; null where nothing is ever forbidden
 */
public record StepArrays<T>(
        int count,
        int size,
        T observations,
        T rewards,
        T terminated,
        T truncated,
        T finalObservations,
        @Nullable T actionMasks) {

    /** The same of other arrays. */
    public <R> StepArrays<R> map(Function<? super T, ? extends R> change) {
        return new StepArrays<>(
                count,
                size,
                change.apply(observations),
                change.apply(rewards),
                change.apply(terminated),
                change.apply(truncated),
                change.apply(finalObservations),
                actionMasks == null ? null : change.apply(actionMasks));
    }
}
