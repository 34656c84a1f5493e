// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

/**
 * What a step of a batch of environments costs besides their own work, in the mean.
 *
 * @param launches on a device, of kernels and of captured steps
 * @param waits for the device
 * @param hostNanos of the host, waiting not included
 */
public record StepCost(double launches, double waits, double hostNanos) {}
