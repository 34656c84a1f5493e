// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of linear algebra, elementwise and row-wise maps, reductions, gathers and random numbers.
 *
 * <p>Start with {@link org.fovea.backend.math.MathOps}. Its arguments are enums and records: {@link
 * org.fovea.backend.math.Gemm} for a product, {@link org.fovea.backend.math.LayerNormArgs}, {@link
 * org.fovea.backend.math.RandomRange} for numbers of {@link org.fovea.backend.math.Philox}, which are the same on every device.
 * Every implementation calls {@link org.fovea.backend.math.MathChecks} first. {@link org.fovea.backend.math.StridedAxes} merges
 * the axes of strided operations, for backends and for tensors.
 */
@NullMarked
package org.fovea.backend.math;

import org.jspecify.annotations.NullMarked;
