/**
 * The CUDA driver API behind objects: context, memory pool, transfers, loading of kernels, launches, graphs, timing, and the native
 * libraries of JCuda.
 *
 * <p>Start with {@link org.fovea.backend.cuda.driver.CudaContext} and {@link org.fovea.backend.cuda.driver.Kernels}.
 */
@NullMarked
package org.fovea.backend.cuda.driver;

import org.jspecify.annotations.NullMarked;
