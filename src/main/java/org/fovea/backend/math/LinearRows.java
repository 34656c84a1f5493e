// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.memory.DeviceArray;

/**
 * The rows that one of several linear layers maps, see {@link MathOps#linear(int, int, java.util.List)}.
 *
 * @param x [rows, in]
 * @param weight [in, out]
 * @param bias [out]
 * @param y [rows, out], written
 */
public record LinearRows(int rows, DeviceArray x, DeviceArray weight, DeviceArray bias, DeviceArray y) {}
