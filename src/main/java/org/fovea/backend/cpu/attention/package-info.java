// SPDX-License-Identifier: Apache-2.0
/**
 * Attention on the CPU. Start with {@link org.fovea.backend.cpu.attention.CpuAttention}, which implements the contract and
 * hands each call to {@code fused}, float32 kernels without a score matrix, or to {@code series}, float64 and any order.
 */
@NullMarked
package org.fovea.backend.cpu.attention;

import org.jspecify.annotations.NullMarked;
