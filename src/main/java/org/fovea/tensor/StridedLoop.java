package org.fovea.tensor;

import java.util.Arrays;
import org.fovea.backend.memory.ShapeException;

/**
 * A loop over two strided arrays with as few axes as possible: those of size 1 are dropped, and neighbours that both
 * arrays step through alike are merged.
 */
record StridedLoop(int[] shape, int[] strideA, int[] strideB) {
    /** Most axes a backend takes. */
    private static final int MAX_AXES = 6;

    static StridedLoop of(String operation, int[] shape, int[] strideA, int[] strideB) {
        int[] size = new int[shape.length + 1];
        int[] a = new int[shape.length + 1];
        int[] b = new int[shape.length + 1];
        int axes = 0;
        for (int i = 0; i < shape.length; i++) {
            if (shape[i] == 1) {
                continue;
            }
            int last = axes - 1;
            if (axes > 0 && a[last] == strideA[i] * shape[i] && b[last] == strideB[i] * shape[i]) {
                size[last] *= shape[i];
            } else {
                last = axes++;
                size[last] = shape[i];
            }
            a[last] = strideA[i];
            b[last] = strideB[i];
        }
        if (axes == 0) {
            size[axes++] = 1;
        }
        if (axes > MAX_AXES) {
            throw new ShapeException(
                    operation, Shapes.text(shape) + " needs " + axes + " separate axes, at most " + MAX_AXES + " work");
        }
        return new StridedLoop(Arrays.copyOf(size, axes), Arrays.copyOf(a, axes), Arrays.copyOf(b, axes));
    }
}
