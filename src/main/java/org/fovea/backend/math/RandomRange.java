// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.CapturedStep;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * The random numbers that an operation draws: those from index {@code first} on of a stream of {@link Philox}.
 *
 * @param seed the key
 * @param stream under the key
 * @param first index of the first number
 * @param counter I32 [1], added to {@code stream} when the operation runs, so that each replay of a {@link CapturedStep}
 *     can draw anew; null for 0
 */
public record RandomRange(
        long seed, long stream, long first, @Nullable DeviceArray counter) {

    /** Numbers of a stream that is known when the operation is issued. */
    public RandomRange(long seed, long stream, long first) {
        this(seed, stream, first, null);
    }
}
