/**
 * The operations of {@link org.fovea.backend.math.MathOps} and {@link org.fovea.backend.rl.RlOps} on the CPU: they check operands, cut
 * the work into pieces that do not depend on the number of threads, and run {@link org.fovea.backend.cpu.kernels.Kernels} on
 * each by {@link org.fovea.backend.cpu.primitives.Workers}.
 */
@NullMarked
package org.fovea.backend.cpu.primitives;

import org.jspecify.annotations.NullMarked;
