/**
 * The contract of attention, its derivatives of any order and decoding: {@link
 * org.fovea.backend.attention.AttentionOps}, and the records of its arguments.
 *
 * <p>Start with {@link org.fovea.backend.attention.AttentionSpec}, what is asked for, and {@link
 * org.fovea.backend.attention.AttentionShape}, of which extents. {@link org.fovea.backend.attention.AttentionChecks} refuses
 * what does not fit. {@link org.fovea.backend.attention.SeriesRing} is the algebra of the higher orders. Formulas are in
 * {@code docs/attention.md}.
 */
@NullMarked
package org.fovea.backend.attention;

import org.jspecify.annotations.NullMarked;
