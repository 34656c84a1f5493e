// SPDX-License-Identifier: Apache-2.0
/**
 * Mathematics on CUDA: which kernel, how many blocks, which parameters.
 *
 * <p>Start with {@link org.fovea.backend.cuda.math.CudaMath}. It launches elementwise kernels itself and leaves products to
 * {@code CudaGemm}, which takes {@link org.fovea.backend.cuda.math.Cublas} for large ones and else a tile of {@code GemmTile};
 * reductions and row-wise operations to {@code CudaRows}; strided and indexed copies to {@code CudaMovement}.
 */
@NullMarked
package org.fovea.backend.cuda.math;

import org.jspecify.annotations.NullMarked;
