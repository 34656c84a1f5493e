/**
 * The contract of linear algebra, elementwise and row-wise maps, reductions, gathers and random numbers: {@link
 * org.fovea.backend.math.MathOps}, the records and enums of its arguments, and the checks of its operands.
 *
 * <p>Random numbers are those of {@link org.fovea.backend.math.Philox} on every device.
 */
@NullMarked
package org.fovea.backend.math;

import org.jspecify.annotations.NullMarked;
