// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.bench;

import static org.fovea.cli.bench.AttentionBench.gaussians;
import static org.fovea.cli.bench.AttentionBench.medianSeconds;
import static org.fovea.cli.bench.AttentionBench.release;

import org.fovea.backend.Backend;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;

/**
 * Speed and result of one product of two square matrices of normal numbers.
 *
 * @param gigaflops 2 n³ operations over the median time, in 1e9 per second
 * @param product [n, n], row-major
 */
public record GemmBench(double gigaflops, float[] product) {

    /** Multiplies two n x n matrices, the same for every backend. */
    public static GemmBench run(Backend backend, int n) {
        Gemm shape = Gemm.dense(false, false, n, n, n);
        long size = (long) n * n;
        DeviceArray a = gaussians(backend, size, 1);
        DeviceArray b = gaussians(backend, size, 2);
        DeviceArray c = backend.memory().allocate(DType.F32, size);
        double seconds = medianSeconds(backend, () -> backend.math().gemm(shape, a, b, c));
        float[] product = new float[Math.toIntExact(size)];
        backend.memory().download(c, product, 0);
        release(a, b, c);
        return new GemmBench(2.0 * size * n / seconds * 1e-9, product);
    }

    /** ‖this - other‖ / ‖other‖ in the Frobenius norm; NaN if anything is. */
    public double differenceFrom(GemmBench other) {
        double difference = 0;
        double norm = 0;
        for (int i = 0; i < product.length; i++) {
            double error = (double) product[i] - other.product[i];
            difference += error * error;
            norm += (double) other.product[i] * other.product[i];
        }
        return Math.sqrt(difference / norm);
    }
}
