/**
 * What the inner loops of the CPU backend are asked for, as interfaces over plain Java arrays: {@link
 * org.fovea.backend.cpu.kernels.Kernels} and its parts. They are implemented twice, {@code scalar} and {@code vector};
 * {@link org.fovea.backend.cpu.KernelChoice} picks one when the process starts.
 */
@NullMarked
package org.fovea.backend.cpu.kernels;

import org.jspecify.annotations.NullMarked;
