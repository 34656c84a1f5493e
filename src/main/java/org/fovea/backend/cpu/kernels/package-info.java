// SPDX-License-Identifier: Apache-2.0
/**
 * The inner loops of the CPU backend, as interfaces: {@link org.fovea.backend.cpu.kernels.Kernels} for mathematics, which
 * knows the {@link org.fovea.backend.cpu.kernels.AttentionKernels} and {@link org.fovea.backend.cpu.kernels.DoubleKernels} that go
 * with it. All run on the calling thread and check nothing.
 *
 * <p>They are implemented twice, in {@code scalar} and {@code vector}; start with {@code ScalarKernels}, whose loops are plain.
 * {@link org.fovea.backend.cpu.KernelChoice} picks one when the process starts. Callers are {@code cpu.primitives} and {@code
 * cpu.attention}.
 */
@NullMarked
package org.fovea.backend.cpu.kernels;

import org.jspecify.annotations.NullMarked;
