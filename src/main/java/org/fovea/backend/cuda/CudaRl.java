package org.fovea.backend.cuda;

import org.fovea.backend.RlOps;

/** Sampling, advantages, the policy loss and the optimiser as kernel launches. */
abstract class CudaRl extends CudaAttention implements RlOps {
    CudaRl(CudaContext context) {
        super(context);
    }
}
