/**
 * CUDA through JCuda's driver API: one device, one stream, one owner thread. The kernels are in {@code kernels/}; so far
 * they make a slice of the contract, and an operation outside it throws {@link
 * org.fovea.backend.UnsupportedOnBackendException}.
 *
 * <p>No Java heap array ever reaches JCuda, only pinned buffers: heap arrays block the collector and are unsafe in
 * asynchronous copies.
 */
@NullMarked
package org.fovea.backend.cuda;

import org.jspecify.annotations.NullMarked;
