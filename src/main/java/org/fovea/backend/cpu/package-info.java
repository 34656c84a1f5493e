// SPDX-License-Identifier: Apache-2.0
/**
 * The CPU backend: float32 on Java arrays, kernels on the Vector API where the virtual machine
 * runs it fast, else scalar.
 *
 * <p>Start with {@link org.fovea.backend.cpu.CpuBackend}, which builds the parts: {@code memory} for arrays, {@code primitives}
 * for mathematics and reinforcement learning, {@code attention}. These check operands, cut the work and run {@code kernels},
 * the inner loops, which {@link org.fovea.backend.cpu.KernelChoice} has picked.
 *
 * <p>Two rules make results independent of the number of threads: work is cut by its size alone, and every sum has one
 * order, fixed by the cut.
 *
 * <p>Not API: what is public here, or in a package below, is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.backend.cpu;

import org.jspecify.annotations.NullMarked;
