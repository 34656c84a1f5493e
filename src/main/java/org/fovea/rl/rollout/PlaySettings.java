// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

/**
 * How environments are played. It decides how fast, never what comes of it, but for the last bits of sines and cosines where
 * environments step on a device.
 *
 * @param environmentThreads that step environments beside those that compute, 0 for one per core; see {@link
 *     org.fovea.env.EnvironmentThreads}
 * @param overlap whether some environments step while the policy acts in the others
 * @param place where environments step
 */
public record PlaySettings(int environmentThreads, Overlap overlap, EnvironmentPlace place) {
    /** The usual settings. */
    public static final PlaySettings DEFAULT = new PlaySettings(0, Overlap.AUTO, EnvironmentPlace.AUTO);

    /** Whether some environments step while the policy acts in the others. */
    public enum Overlap {
        /** Where their steps take so long that it pays. */
        AUTO,
        /** Always, if there are two environments or more that need not step together. */
        ON,
        /** Never: the policy waits for the environments, and they for it. */
        OFF
    }
}
