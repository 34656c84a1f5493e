// SPDX-License-Identifier: Apache-2.0
/**
 * Reinforcement learning on CUDA: {@link org.fovea.backend.cuda.rl.CudaRl} launches the kernels of {@code kernels/rl}, and those
 * that add up what their blocks have left.
 */
@NullMarked
package org.fovea.backend.cuda.rl;

import org.jspecify.annotations.NullMarked;
