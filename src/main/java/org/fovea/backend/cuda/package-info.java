/**
 * CUDA through JCuda's driver API: one device, one stream, one owner thread. The kernels are in {@code kernels/}: all
 * primitives and attention forward so far; the other fused operations are the contract's default compositions.
 *
 * <p>No Java heap array ever reaches JCuda, only pinned buffers: heap arrays block the collector and are unsafe in
 * asynchronous copies.
 */
@NullMarked
package org.fovea.backend.cuda;

import org.jspecify.annotations.NullMarked;
