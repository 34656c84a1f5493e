// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.kernels;

/**
 * The inner loops of attention in float64. As with {@link Kernels}, the same arguments give the same bits each time.
 *
 * <p>Public only because an implementation lives in another package.
 */
public interface DoubleKernels {

    /**
     * {@code c[r, x] += sum over k of a[r, k] b[k, x]}.
     *
     * @param aRow from a row of a to the next, and {@code aStep} from one of its elements to the next
     */
    void multiplyAdd(
            double[] a,
            int aRow,
            int aStep,
            double[] b,
            int bStride,
            double[] c,
            int cOffset,
            int cStride,
            int rows,
            int inner,
            int columns);

    /** {@code x[i] = exp(x[i])} for i below count. */
    void exp(double[] x, int count);
}
