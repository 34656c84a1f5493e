// SPDX-License-Identifier: Apache-2.0
/**
 * Arrays of a device and the rules for every operation on them: types, scopes, transfers, and the exceptions that name an operand
 * that does not fit.
 *
 * <p>Start with {@link org.fovea.backend.memory.Memory}, which makes {@link org.fovea.backend.memory.DeviceArray}s and moves
 * numbers in and out of them. Arrays of one training step come from a {@link org.fovea.backend.memory.Scope}. Each backend
 * checks the operands of an operation once, by the {@code Checks} of that operation's package, which are made of {@link
 * org.fovea.backend.memory.OperandChecks}.
 */
@NullMarked
package org.fovea.backend.memory;

import org.jspecify.annotations.NullMarked;
