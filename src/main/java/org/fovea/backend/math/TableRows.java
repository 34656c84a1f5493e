// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.memory.DeviceArray;

/**
 * A table and where some of its rows go, see {@link MathOps#gatherRows(DeviceArray, java.util.List)}.
 *
 * @param table [rows of the table, width], of any type
 * @param width elements of a row
 * @param rows [indices, width], of the same type, written
 */
public record TableRows(DeviceArray table, int width, DeviceArray rows) {}
