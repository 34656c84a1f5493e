// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.memory.DeviceArray;

/**
 * Rows to be turned by their positions, see {@link MathOps#rotary(int, int, float, int, RotaryRows, RotaryRows)}.
 *
 * @param x [rows, heads, headDim]
 * @param positions I32 [rows]
 * @param y [rows, heads, headDim], written
 */
public record RotaryRows(int rows, DeviceArray x, DeviceArray positions, DeviceArray y) {}
