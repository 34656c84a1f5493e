// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import java.util.List;

/**
 * Copies of one environment that a kernel plays.
 *
 * @param kernel name of the environment among kernels
 * @param count copies
 * @param stateBytes of the state variables of one number each, as a struct of C
 * @param state I32 [{@link #HEADER_WORDS} + ({@link #STATE} + stateBytes / 4) count]: a header, then planes with a word of each
 *     copy, at the indices here; {@code kernels/env/environment.cuh} has the same
 * @param tables I32, at most {@link #MOST_TABLES}: the state variables of several numbers each, [width, count], their bytes
 * @param constants bytes of the environment's constants, in words of 8, at most {@link #MOST_CONSTANTS}
 * @param constantBytes how many bytes of them there are
 * @param timeLimit steps after which an episode is truncated
 * @param maskedChoices choices of all parts of an action together, where some are forbidden in some states, else 0
 */
public record EnvironmentCopies<T>(
        String kernel,
        int count,
        int stateBytes,
        T state,
        List<T> tables,
        long[] constants,
        int constantBytes,
        int timeLimit,
        int maskedChoices) {

    /** Most tables that an environment can have. */
    public static final int MOST_TABLES = 4;

    /** Most words of constants. */
    public static final int MOST_CONSTANTS = 32;

    /** Index in the header of the run's seed, of two words, the low one first. */
    public static final int SEED = 0;

    /** Index in the header of the number that copy 0 has among the environments of the run. */
    public static final int FIRST_INDEX = 2;

    /** Index in the header of the number of copies that have failed, which means: gave a number that isn't finite. */
    public static final int FAILURES = 3;

    /** Index in the header of what a kernel expects {@link #stateBytes} to be, if it is something else; else 0. */
    public static final int EXPECTED_STATE_BYTES = 4;

    /** The same of {@link #constantBytes}. */
    public static final int EXPECTED_CONSTANT_BYTES = 5;

    /** Words of the header. */
    public static final int HEADER_WORDS = 6;

    /** Plane of the steps taken in the episode. */
    public static final int ELAPSED = 0;

    /** Plane of the steps taken since the state was uploaded. */
    public static final int AGE = 1;

    /** Plane of the first element of an observation that wasn't finite; {@link #REWARD}, or {@link #NOT_FAILED}. */
    public static final int FAILED_ELEMENT = 2;

    /** Plane of the {@link #AGE} after the step in which a copy failed. */
    public static final int FAILED_AGE = 3;

    /** First of two planes of the number of the episode. */
    public static final int EPISODE = 4;

    /** First of two planes of the random state. */
    public static final int RANDOM = 6;

    /** First plane of the state variables. */
    public static final int STATE = 8;

    /** A {@link #FAILED_ELEMENT} that means that all is well. */
    public static final int NOT_FAILED = -1;

    /** A {@link #FAILED_ELEMENT} that means the reward. */
    public static final int REWARD = -2;
}
