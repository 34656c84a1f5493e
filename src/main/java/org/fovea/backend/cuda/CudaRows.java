package org.fovea.backend.cuda;

/** The fused row-wise operations of {@link org.fovea.backend.MathOps} as kernel launches. */
abstract class CudaRows extends CudaMath {
    CudaRows(CudaContext context) {
        super(context);
    }
}
