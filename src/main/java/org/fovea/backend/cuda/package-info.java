// SPDX-License-Identifier: Apache-2.0
/**
 * CUDA through JCuda's driver API: one device, one stream, one owner thread. The kernels are in {@code kernels/}, one
 * for every operation of the contract; a step may be captured, and is then one launch of a graph.
 *
 * <p>Start with {@link org.fovea.backend.cuda.CudaBackend}, which builds the parts and hands them on: context, memory and kernels
 * of {@code driver}, then {@code math}, {@code attention} and {@code rl}, each of which resolves its operands, fills the struct of
 * a kernel from {@code params}, and launches. {@code diagnostics} looks at machines where all this fails.
 *
 * <p>No Java heap array ever reaches JCuda, only pinned buffers: heap arrays block the collector and are unsafe in
 * asynchronous copies.
 *
 * <p>Not API: what is public here, or in a package below, is so for other packages and may change in any version.
 */
@NullMarked
package org.fovea.backend.cuda;

import org.jspecify.annotations.NullMarked;
