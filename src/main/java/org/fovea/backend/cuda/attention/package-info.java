// SPDX-License-Identifier: Apache-2.0
/**
 * Attention on CUDA.
 *
 * <p>Start with {@link org.fovea.backend.cuda.attention.CudaAttention}. Calls that need no more than language models do go to
 * {@code TensorCoreKernels}, which picks the instance of a kernel by its {@code AttentionSchedule}, fills its struct ({@code describe}; {@code
 * CudaAttention} adds the fields of one operation) and launches it; one new query against a cache to {@code CudaDecode}; all others to {@code series}.
 */
@NullMarked
package org.fovea.backend.cuda.attention;

import org.jspecify.annotations.NullMarked;
