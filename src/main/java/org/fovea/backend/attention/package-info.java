// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of attention, its derivatives of any order and decoding: {@link
 * org.fovea.backend.attention.AttentionOps}, and the records of its arguments.
 *
 * <p>An {@link org.fovea.backend.attention.AttentionCall} is one attention: its {@link
 * org.fovea.backend.attention.AttentionShape extents}, its {@link org.fovea.backend.attention.AttentionSpec spec}, and the
 * arrays it is asked of, with a {@link org.fovea.backend.attention.ScoreBias bias}, a sink and a {@link
 * org.fovea.backend.attention.AttentionMask mask} if there are any. An {@link org.fovea.backend.attention.AttentionPlane} is an
 * array for each thing attention is differentiated by: gradients, tangents, or a coefficient of a {@link
 * org.fovea.backend.attention.SeriesRing series}. Both are generic in what an array is, and {@code map} takes them from one
 * kind to the next:
 *
 * <ol>
 *   <li>{@code org.fovea.attention.Attention} makes a call of tensors, and of it one of device arrays
 *   <li>the backend's {@code AttentionOps} checks it, once, through {@link org.fovea.backend.attention.AttentionChecks}
 *   <li>and makes of it a call of its own arrays, which its kernels, loops or launches read
 * </ol>
 *
 * <p>Which keys a query sees by window, alignment, lengths and sequences is {@link
 * org.fovea.backend.attention.AttentionBand}; the float64 reference defines it once more, by itself.
 *
 * <p>Formulas are in {@code docs/attention.md}.
 */
@NullMarked
package org.fovea.backend.attention;

import org.jspecify.annotations.NullMarked;
