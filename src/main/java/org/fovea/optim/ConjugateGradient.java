// SPDX-License-Identifier: Apache-2.0
package org.fovea.optim;

import org.fovea.backend.Backend;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;

/**
 * Solves {@code A x = b} for a symmetric positive definite A of which only products with vectors are known (Hestenes and
 * Stiefel 1952). Vectors and scalars stay on the device: nothing here waits for it, and a captured step may hold it.
 *
 * <pre>
 *   x = 0;  r = p = b
 *   repeat  alpha = r.r / p.Ap;  x += alpha p;  r -= alpha A p;  beta = r.r / (r.r before);  p = r + beta p
 * </pre>
 */
public final class ConjugateGradient implements AutoCloseable {
    /** Where |r|^2 has fallen below this part of |b|^2 there is nothing left that float32 could tell from rounding. */
    private static final double CONVERGED = 1e-12;

    private static final int[] SCALAR = {1};
    private static final int[] STRIDE = {1};
    private static final int[] BROADCAST = {0};

    /** A matrix, as what it does to a vector. */
    @FunctionalInterface
    public interface Operator {
        /** {@code product = A direction}. */
        void apply(DeviceArray direction, DeviceArray product);
    }

    private final Backend backend;
    private final int[] shape;
    private final int iterations;
    private final DeviceArray residual;
    private final DeviceArray direction;
    private final DeviceArray product;
    private final DeviceArray scratch;
    private final DeviceArray scalars;
    private final DeviceArray floor;
    private final DeviceArray squaredResidual;
    private final DeviceArray newSquaredResidual;
    private final DeviceArray curvature;
    private final DeviceArray ratio;
    private final DeviceArray goesOn;
    private final DeviceArray zero;

    /**
     * @param length of the vectors
     * @param iterations products with A per solution
     */
    public ConjugateGradient(Backend backend, int length, int iterations) {
        this.backend = backend;
        this.shape = new int[] {length};
        this.iterations = iterations;
        this.residual = backend.memory().allocate(backend.memory().floatType(), length);
        this.direction = backend.memory().allocate(backend.memory().floatType(), length);
        this.product = backend.memory().allocate(backend.memory().floatType(), length);
        this.scratch = backend.memory().allocate(backend.memory().floatType(), length);
        this.scalars = backend.memory().allocate(backend.memory().floatType(), 7);
        this.floor = scalars.slice(0, 1);
        this.squaredResidual = scalars.slice(1, 1);
        this.newSquaredResidual = scalars.slice(2, 1);
        this.curvature = scalars.slice(3, 1);
        this.ratio = scalars.slice(4, 1);
        this.goesOn = scalars.slice(5, 1);
        this.zero = scalars.slice(6, 1);
    }

    /**
     * Writes the solution to {@code x}. Once it has converged, or where A shows itself not positive, further iterations
     * change nothing. What is not finite in A or b leaves {@link #curvature} not finite.
     */
    public void solve(Operator a, DeviceArray b, DeviceArray x) {
        backend.memory().fill(x, 0);
        backend.memory().copy(b, residual);
        backend.memory().copy(b, direction);
        dot(b, b, squaredResidual);
        backend.memory().fill(floor, CONVERGED);
        scalar(BinaryOp.MULTIPLY, floor, squaredResidual, floor);
        for (int i = 0; i < iterations; i++) {
            a.apply(direction, product);
            dot(direction, product, curvature);
            scalar(BinaryOp.LESS, zero, curvature, goesOn);
            scalar(BinaryOp.LESS, floor, squaredResidual, ratio);
            scalar(BinaryOp.MULTIPLY, goesOn, ratio, goesOn);

            scalar(BinaryOp.DIVIDE, squaredResidual, curvature, ratio);
            backend.math().select(goesOn, ratio, zero, ratio);
            scale(direction, ratio, scratch);
            combine(BinaryOp.ADD, x, scratch, x);
            scale(product, ratio, scratch);
            combine(BinaryOp.SUBTRACT, residual, scratch, residual);

            dot(residual, residual, newSquaredResidual);
            scalar(BinaryOp.DIVIDE, newSquaredResidual, squaredResidual, ratio);
            backend.math().select(goesOn, ratio, zero, ratio);
            backend.memory().copy(newSquaredResidual, squaredResidual);
            scale(direction, ratio, scratch);
            combine(BinaryOp.ADD, residual, scratch, direction);
        }
    }

    /** {@code x.A x} of the last solution x of {@code A x = b}, into an array of one element. */
    public void curvature(DeviceArray b, DeviceArray x, DeviceArray result) {
        combine(BinaryOp.SUBTRACT, b, residual, direction);
        dot(x, direction, result);
    }

    /** {@code x.y} into an array of one element. */
    public void dot(DeviceArray x, DeviceArray y, DeviceArray result) {
        combine(BinaryOp.MULTIPLY, x, y, scratch);
        backend.math().reduce(ReduceOp.SUM, 1, shape[0], 1, scratch, result);
    }

    private void scale(DeviceArray x, DeviceArray factor, DeviceArray y) {
        backend.math().zip(BinaryOp.MULTIPLY, shape, x, STRIDE, factor, BROADCAST, y);
    }

    private void combine(BinaryOp op, DeviceArray x, DeviceArray y, DeviceArray result) {
        backend.math().zip(op, shape, x, STRIDE, y, STRIDE, result);
    }

    private void scalar(BinaryOp op, DeviceArray x, DeviceArray y, DeviceArray result) {
        backend.math().zip(op, SCALAR, x, STRIDE, y, STRIDE, result);
    }

    /** Releases the memory. */
    @Override
    public void close() {
        residual.release();
        direction.release();
        product.release();
        scratch.release();
        scalars.release();
    }
}
