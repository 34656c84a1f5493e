// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.math;

/** The fold of an axis into one element. */
public enum ReduceOp {
    /** sum, 0 for an empty axis */
    SUM,
    /** maximum, -infinity for an empty axis, NaN if an element is NaN */
    MAX
}
