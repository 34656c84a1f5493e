// SPDX-License-Identifier: Apache-2.0
/**
 * Mathematics and reinforcement learning on the CPU.
 *
 * <p>Start with {@link org.fovea.backend.cpu.primitives.CpuMath} and {@link org.fovea.backend.cpu.primitives.CpuRl}. They check
 * operands, cut the work into pieces that do not depend on the number of threads, and have {@link
 * org.fovea.backend.cpu.primitives.Workers} run {@link org.fovea.backend.cpu.kernels.Kernels} on each. {@code Broadcast} does what
 * is strided, along the rows of {@code StridedRows}; {@code PolicyColumns} transposes rows shorter than a vector, for their
 * softmax and for sampling; {@code PpoRows} has the terms that both policy losses share.
 */
@NullMarked
package org.fovea.backend.cpu.primitives;

import org.jspecify.annotations.NullMarked;
