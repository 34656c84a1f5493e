// SPDX-License-Identifier: Apache-2.0
/**
 * Environments: one at a time for users, many at once for the trainer, and the built-in suites.
 *
 * <p>Start with {@link org.fovea.env.Environment}, which a user implements, and {@link org.fovea.env.Environments}, where it
 * is registered by an {@link org.fovea.env.EnvironmentSpec}. The trainer steps {@link org.fovea.env.VectorEnvironment}s:
 * built-in ones are {@link org.fovea.env.BatchedEnvironment}s, a user's {@code Environment} is wrapped into an {@link
 * org.fovea.env.EnvironmentBatch}, a user's own {@code VectorEnvironment} into a {@link org.fovea.env.CheckedBatch}.
 *
 * <p>Everything known of a built-in environment is in its class, such as {@link org.fovea.env.CartPole}: the rules, the
 * score that counts as solved, returns to compare with, and the settings under which it is learned well.
 */
@NullMarked
package org.fovea.env;

import org.jspecify.annotations.NullMarked;
