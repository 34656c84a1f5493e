// SPDX-License-Identifier: Apache-2.0
/**
 * Memory of the CPU backend.
 *
 * <p>Start with {@link org.fovea.backend.cpu.memory.CpuMemory}: operations ask it for the {@link
 * org.fovea.backend.cpu.memory.CpuArray} behind an operand. An array is a run of a {@code Block}, one Java array of a pool;
 * {@code CpuScope} carves many out of few blocks and gives them back together. {@link org.fovea.backend.cpu.memory.Lifetime}
 * ends all arrays of a scope, or of the backend, at once. {@link org.fovea.backend.cpu.memory.Elements} converts between types.
 */
@NullMarked
package org.fovea.backend.cpu.memory;

import org.jspecify.annotations.NullMarked;
