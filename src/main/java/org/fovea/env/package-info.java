// SPDX-License-Identifier: Apache-2.0
/**
 * Environments: one at a time for users, many at once for the trainer, and wrappers around them.
 *
 * <p>Start with {@link org.fovea.env.Environment}, which a user implements, and {@link org.fovea.env.Environments}, where it
 * is registered by an {@link org.fovea.env.EnvironmentSpec}. The trainer steps {@link org.fovea.env.VectorEnvironment}s:
 * built-in ones are {@link org.fovea.env.BatchedEnvironment}s, a user's {@code Environment} is wrapped into an {@link
 * org.fovea.env.EnvironmentBatch}, a user's own {@code VectorEnvironment} into a {@link org.fovea.env.CheckedBatch}.
 *
 * <p>A {@link org.fovea.env.DeviceForm} names the kernel by which a device plays a {@code BatchedEnvironment}, and a {@link
 * org.fovea.env.DeviceBatch} steps it there.
 *
 * <p>The built-in ones are in {@code org.fovea.env.games}, and found as those of another jar are, through an {@link
 * org.fovea.env.EnvironmentProvider}. A {@link org.fovea.env.Wrapper} is a change to any of them. One that is {@link
 * org.fovea.env.Drawable} shows itself to whoever watches.
 */
@NullMarked
package org.fovea.env;

import org.jspecify.annotations.NullMarked;
