// SPDX-License-Identifier: Apache-2.0
/**
 * The meaning of every operation of a backend, in float64 and plain loops. Nothing here is fast; all of it should be obvious.
 * Other backends are compared with it, and no computation is ever given to it.
 *
 * <p>Start with {@link org.fovea.backend.reference.ReferenceBackend}. {@code ReferenceMath} and {@code ReferenceRl} are loops over
 * {@code ReferenceArray}s and their formulas; {@code ReferenceAttention} computes every order of derivative by {@code
 * SeriesAttention}, from a number type {@code Series} that may also carry bounds of rounding errors.
 *
 * <p>Not API: what is public here is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.backend.reference;

import org.jspecify.annotations.NullMarked;
