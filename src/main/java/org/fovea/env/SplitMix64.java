// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/**
 * Random numbers from a state that is one {@code long} (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number
 * generators"): the state walks by a constant, and {@link #mix} of it is the output.
 */
public final class SplitMix64 {
    private static final long GAMMA = 0x9E3779B97F4A7C15L;

    private SplitMix64() {}

    /** The seed of an episode: a function of the run's seed, the environment's index in the run and the episode. */
    public static long episodeSeed(long seed, long environment, long episode) {
        long ofRun = mix(seed + GAMMA);
        long ofEnvironment = mix(ofRun + environment + GAMMA);
        return mix(ofEnvironment + episode + GAMMA);
    }

    /** The state that follows {@code state}. */
    static long advance(long state) {
        return state + GAMMA;
    }

    /** The 64 random bits of a state. */
    static long mix(long state) {
        long z = (state ^ (state >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }
}
