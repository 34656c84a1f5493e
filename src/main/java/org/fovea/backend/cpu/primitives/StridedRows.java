// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import org.fovea.backend.math.StridedAxes;

/** A walk over the rows of a strided operation, which are its innermost axis: where each of the two arrays' rows starts. */
final class StridedRows {
    private final StridedAxes axes;
    private final int[] index;

    /** Start of the current row in the first array. */
    int first;

    /** Start of the current row in the second array. */
    int second;

    StridedRows(StridedAxes axes) {
        this.axes = axes;
        index = new int[axes.count()];
    }

    /** Goes to the next row; after the last, back to the first. */
    void next() {
        for (int axis = 1; axis < index.length; axis++) {
            index[axis]++;
            boolean carry = index[axis] == axes.extent(axis);
            int steps = carry ? 1 - axes.extent(axis) : 1;
            first += steps * axes.first(axis);
            second += steps * axes.second(axis);
            if (!carry) {
                return;
            }
            index[axis] = 0;
        }
    }
}
