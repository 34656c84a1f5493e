// SPDX-License-Identifier: Apache-2.0
/**
 * Attention over truncated power series on CUDA, for the forms and orders without a tensor-core kernel. Start with {@link
 * org.fovea.backend.cuda.attention.series.CudaSeries}.
 */
@NullMarked
package org.fovea.backend.cuda.attention.series;

import org.jspecify.annotations.NullMarked;
