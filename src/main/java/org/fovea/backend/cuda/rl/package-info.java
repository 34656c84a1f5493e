/**
 * The operations of {@link org.fovea.backend.rl.RlOps} on CUDA.
 */
@NullMarked
package org.fovea.backend.cuda.rl;

import org.jspecify.annotations.NullMarked;
