/**
 * The operations of {@link org.fovea.backend.math.MathOps} on CUDA: which kernel, how many blocks, which parameters; and cuBLAS for
 * large products.
 */
@NullMarked
package org.fovea.backend.cuda.math;

import org.jspecify.annotations.NullMarked;
