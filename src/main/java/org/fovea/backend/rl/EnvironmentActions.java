// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.rl;

import org.jspecify.annotations.Nullable;

/**
 * What a policy does in environments on the device.
 *
 * @param size parts of an action
 * @param taken [count, size]: I32 where they are choices, else floating
 * @param bounds of numbers, [2, size]: lowest and highest, to whose range the policy's [-1, 1] is mapped before what lies outside
 *     is clipped; infinite for none. Null where numbers are an environment's already, or choices
 * @param tanh whether a number with two bounds goes through the hyperbolic tangent first
 */
public record EnvironmentActions<T>(
        int size, T taken, @Nullable T bounds, boolean tanh) {}
