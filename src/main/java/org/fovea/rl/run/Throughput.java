// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

/**
 * Environment steps per second of all environments together.
 *
 * @param environment if stepping them were all there is to do: by the time that steps took while training
 * @param inference environments and policy
 * @param train environments, policy and learning
 */
public record Throughput(double environment, double inference, double train) {}
