// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

import org.fovea.backend.memory.DeviceArray;

/**
 * A table and some rows: where its own go, see {@link MathOps#gatherRows(DeviceArray, java.util.List)}, or that go into it, see {@link
 * MathOps#placeRows}.
 *
 * @param table [rows of the table, width], of any type; written when rows are placed
 * @param width elements of a row
 * @param rows [indices, width], of the same type; written when rows are gathered
 */
public record TableRows(DeviceArray table, int width, DeviceArray rows) {}
