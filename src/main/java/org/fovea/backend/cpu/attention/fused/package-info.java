/**
 * Attention in float32 without a score matrix: forward, backward, tangent and the backward's tangent, tile by tile.
 *
 * <p>Start with {@link org.fovea.backend.cpu.attention.fused.CpuAttention}, one method per operation. Each makes an {@code
 * AttentionPass} (what is computed, who sees whom, where rows lie), cuts it into units of queries or keys, and runs {@code
 * AttentionForward}, {@code AttentionBackward}, {@code AttentionTangent} or {@code AttentionBackwardTangent} on each with the
 * scratch of its thread. {@link org.fovea.backend.cpu.attention.fused.FusedAttention} is the way in for 16-bit arrays and other
 * similarities: it widens and maps them first.
 */
@NullMarked
package org.fovea.backend.cpu.attention.fused;

import org.jspecify.annotations.NullMarked;
