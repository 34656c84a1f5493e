// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.fovea.backend.memory.DeviceArray;

/**
 * How a step becomes the numbers that a network is given, see {@link RlOps#encode}. Each number has an entry {@code (kind, a, b, c)}:
 *
 * <ul>
 *   <li>{@link #COPIED}: observation[a].
 *   <li>{@link #PIXEL}: observation[a] / 255.
 *   <li>{@link #CHOSEN}: 1 if part a of the previous action was choice b, else 0; in an episode's first step 0.
 *   <li>{@link #ACTED}: number a of the previous action; in an episode's first step 0.
 *   <li>{@link #START}: 1 in an episode's first step, else 0.
 *   <li>{@link #PERIODIC}: column a of the row of {@code table} that belongs to the step of the episode; they are b columns, and after
 *       the last row comes the first.
 *   <li>{@link #ALLOWED}: 0 if choice a is allowed, else {@link #FORBIDDEN}.
 *   <li>a column k of {@code scales}, not negative: {@code (observation[a] - mean[k]) * reciprocalStd[k]}, computed in float64, within
 *       [-{@link #LIMIT}, {@link #LIMIT}]. With {@code c >= 0} the number is one of entity b of as many as observation[c] says, and
 *       observation[a] itself if that one is missing.
 * </ul>
 *
 * @param elements I32 [numbers, 4]
 * @param scales I32 [columns, 4]: low and high half of the bits of the mean, then those of the reciprocal, as float64
 * @param table floating
 */
public record StepEncoding(DeviceArray elements, DeviceArray scales, DeviceArray table) {
    public static final int COPIED = -1;
    public static final int PIXEL = -2;
    public static final int CHOSEN = -3;
    public static final int ACTED = -4;
    public static final int START = -5;
    public static final int PERIODIC = -6;
    public static final int ALLOWED = -7;

    /** Integers of an entry of {@code elements}. */
    public static final int ENTRY = 4;

    /** Scaled numbers are within it. */
    public static final double LIMIT = 10;

    /** The brightest pixel. */
    public static final float BRIGHTEST = 255;

    /** Added to the logit of a forbidden choice: its probability is 0, and its logarithm still a number. */
    public static final float FORBIDDEN = -1e30f;

    /** Numbers of an encoded step. */
    public int size() {
        return Math.toIntExact(elements.length() / ENTRY);
    }
}
