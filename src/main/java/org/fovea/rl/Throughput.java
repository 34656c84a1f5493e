package org.fovea.rl;

/**
 * Environment steps per second of all environments together.
 *
 * @param environment stepping environments with random actions, nothing else
 * @param inference environments and policy
 * @param train environments, policy and learning
 */
public record Throughput(double environment, double inference, double train) {}
