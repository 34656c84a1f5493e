// SPDX-License-Identifier: Apache-2.0
/**
 * Attention over truncated power series, in float64: every form, type and order that the fused kernels do not take.
 *
 * <p>Start with {@link org.fovea.backend.cpu.attention.series.CpuSeries}. {@code SeriesAttention} walks tiles of queries and keys;
 * {@code SeriesScores} computes the scores of a tile, {@code SeriesForward} and {@code SeriesBackward} use them.
 */
@NullMarked
package org.fovea.backend.cpu.attention.series;

import org.jspecify.annotations.NullMarked;
