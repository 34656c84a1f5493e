// SPDX-License-Identifier: Apache-2.0
/**
 * The kernels of the CPU backend in plain loops: what runs without the Vector API, and what the vector kernels are tested against.
 */
@NullMarked
package org.fovea.backend.cpu.kernels.scalar;

import org.jspecify.annotations.NullMarked;
