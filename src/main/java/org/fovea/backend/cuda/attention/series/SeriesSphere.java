// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.attention.series;

import org.fovea.backend.attention.SeriesRing;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.driver.Grid;
import org.fovea.backend.memory.DType;

/**
 * Rows of queries or keys on the unit sphere, for cosine similarity, and room for their gradients.
 *
 * @param storage of the rows before
 * @param points addresses of the planes of [rows, width]
 * @param inverses of the planes of [rows], inverse lengths of the rows before
 * @param gradients of the planes of [rows, width], for the points
 */
record SeriesSphere(
        SeriesKernels kernels,
        SeriesRing ring,
        DType storage,
        long rows,
        int width,
        long[] points,
        long[] inverses,
        long[] gradients) {

    /** Puts the rows of the planes {@code arrays} there. */
    static SeriesSphere of(
            SeriesKernels kernels,
            CudaScope scope,
            SeriesRing ring,
            DType storage,
            long[] arrays,
            long rows,
            int width) {
        long size = rows * width;
        SeriesSphere sphere = new SeriesSphere(
                kernels,
                ring,
                storage,
                rows,
                width,
                planes(scope, ring, size),
                planes(scope, ring, rows),
                planes(scope, ring, size));
        sphere.launch(kernels.normalize, arrays, new long[SeriesTiling.MAX_PLANES]);
        return sphere;
    }

    /** One array of all planes. */
    private static long[] planes(CudaScope scope, SeriesRing ring, long size) {
        long first = scope.scratch(DType.F32, ring.planes() * size);
        long[] addresses = new long[SeriesTiling.MAX_PLANES];
        for (int k = 0; k < ring.planes(); k++) {
            addresses[k] = first + k * size * Float.BYTES;
        }
        return addresses;
    }

    /** From {@code gradients} to those of the rows before. */
    void pullBack(long[] results) {
        launch(kernels.normalizeBackward, new long[SeriesTiling.MAX_PLANES], results);
    }

    private void launch(CudaKernels.Kernel kernel, long[] arrays, long[] results) {
        if (rows == 0) {
            return;
        }
        kernels.normalizeParams
                .x(arrays)
                .y(points[0])
                .inverse(inverses[0])
                .dY(gradients[0])
                .dX(results)
                .rows(rows)
                .width(width)
                .planes(ring.planes())
                .mixed(ring.mixed() ? 1 : 0)
                .storage(CudaKernels.storage(storage));
        kernels.launchNormalize(kernel, Grid.tiles(rows, SeriesTiling.THREADS / 32));
    }
}
