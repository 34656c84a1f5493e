// SPDX-License-Identifier: Apache-2.0
/**
 * Attention in float32 without a score matrix: forward, backward, tangent and the backward's tangent, tile by tile.
 *
 * <p>The path of a call, a file each:
 *
 * <ol>
 *   <li>{@link org.fovea.backend.cpu.attention.CpuAttention} checks the operands and finds their arrays
 *   <li>{@link org.fovea.backend.cpu.attention.fused.FusedAttention} says whether float32 will do ({@code ScoreRange}), widens
 *       16-bit arrays ({@code FloatArrays}) and makes other similarities dot products ({@code DotProducts}); from there on there
 *       is one {@code AttentionCall} of float32 arrays
 *   <li>{@link org.fovea.backend.cpu.attention.fused.FusedPasses} makes a pass, cuts it into units of queries or keys, and runs
 *       these on threads, each with its {@code AttentionScratch}
 *   <li>{@code AttentionForward}, {@code AttentionBackward}, {@code AttentionTangent} or {@code AttentionBackwardTangent}
 *       computes a unit; {@code AttentionPass} and {@code AttentionKeySums}, which they extend, know where rows lie, who sees
 *       whom and how tiles are summed, {@code ScoreTerms} adds to scores and caps them, and {@code AttentionBackward.keys}
 *       takes gradients back through the cap, both by {@code AttentionSoftcap}
 *   <li>{@link org.fovea.backend.cpu.kernels.AttentionKernels} has the loops
 * </ol>
 */
@NullMarked
package org.fovea.backend.cpu.attention.fused;

import org.jspecify.annotations.NullMarked;
