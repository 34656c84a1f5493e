// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

/**
 * Environment steps per second of all environments together.
 *
 * @param environment if stepping them were all there is to do: by the time that steps took while training
 * @param inference environments and policy
 * @param train environments, policy and learning
 */
public record Throughput(double environment, double inference, double train) {
    /** Of what has not begun. */
    public static final Throughput NONE = new Throughput(Double.NaN, Double.NaN, Double.NaN);

    /** Share of the time in which environments stepped, whether or not the policy acted in others meanwhile. */
    public double environmentShare() {
        return train / environment;
    }

    /** Share of the time in which the policy acted and no environment stepped. */
    public double inferenceShare() {
        return train / inference - environmentShare();
    }

    /** Share of the time in which nothing was played. */
    public double trainShare() {
        return 1 - train / inference;
    }
}
