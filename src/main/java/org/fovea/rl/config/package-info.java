// SPDX-License-Identifier: Apache-2.0
/**
 * Hyper-parameters that every algorithm has, a record for each group, with the values that every run starts from: {@link
 * org.fovea.rl.config.NetworkConfig#BASE}, {@link org.fovea.rl.config.RolloutConfig#BASE}, {@link
 * org.fovea.rl.config.OptimizerConfig#BASE}, in which the learning rate is (TRPO
 * has values of its own, in {@code TrpoConfig.BASE}).
 *
 * <p>{@link org.fovea.rl.config.Hyperparameters} reads and replaces components of such records by the names that the command
 * line and checkpoints use. An algorithm's own hyper-parameters are in its room; {@code Defaults} in {@code run} puts
 * everything together.
 */
@NullMarked
package org.fovea.rl.config;

import org.jspecify.annotations.NullMarked;
