// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.ArrayList;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * A two-dimensional convolution without padding, channels last, as a matrix product over patches; then ReLU.
 *
 * <p>Where it moves by more than one pixel, pixels are first gathered in squares of that side, so that it moves by one square:
 * the side of a patch is a multiple of the step.
 */
final class Convolution {
    private final int kernel;
    private final int stride;
    private final int out;
    private final Linear linear;

    /**
     * A layer with parameters {@code name.weight, name.bias}.
     *
     * @param kernel side of a patch, a multiple of {@code stride}
     */
    Convolution(Parameters parameters, String name, int in, int out, int kernel, int stride) {
        if (kernel % stride != 0) {
            throw new IllegalArgumentException(
                    "convolution " + name + ": kernel " + kernel + " is no multiple of stride " + stride);
        }
        this.kernel = kernel;
        this.stride = stride;
        this.out = out;
        this.linear = new Linear(
                parameters, name, kernel * kernel * in, out, Initializer.orthogonal(Math.sqrt(2)), Activation.RELU);
    }

    /** Patches along an axis of {@code pixels}. */
    static int patches(int pixels, int kernel, int stride) {
        return (pixels - kernel) / stride + 1;
    }

    /**
     * Numbers that a pass over a picture of that size, and back, takes.
     *
     * @param inner whether there is a layer before this one, so that gradients go on to it
     */
    long activations(int height, int width, int in, boolean inner) {
        int rows = patches(height, kernel, stride);
        int columns = patches(width, kernel, stride);
        int side = kernel / stride;
        long channels = (long) stride * stride * in;
        long squares = (rows + side - 1L) * (columns + side - 1) * channels;
        long patches = (long) rows * columns * channels * side * side;
        long rowsOfPatches = side * (long) side * rows * (columns + side - 1) * channels;
        long gathered = stride == 1 ? 0 : 3 * squares;
        // Cut out, joined, and mapped; then the gradients of each, which for what was cut out of are as large as that.
        long forward = gathered + rowsOfPatches + 2 * patches + (long) rows * columns * out;
        long back = (long) rows * columns * out;
        return forward + back + (inner ? gathered + 2 * patches + rowsOfPatches + 2L * side * side * squares : 0);
    }

    /** [rows, height, width, in] to [rows, patches, patches, out]; pixels that make no whole patch are left out. */
    Tensor apply(Tensor x) {
        int height = patches(x.size(1), kernel, stride);
        int width = patches(x.size(2), kernel, stride);
        int side = kernel / stride;
        Tensor squares = squares(x, height + side - 1, width + side - 1);
        List<Tensor> shifted = new ArrayList<>();
        for (int row = 0; row < side; row++) {
            for (int column = 0; column < side; column++) {
                shifted.add(squares.slice(1, row, row + height).slice(2, column, column + width));
            }
        }
        return linear.apply(Tensor.concat(3, shifted));
    }

    /** Gathers {@code stride x stride} pixels in one. */
    private Tensor squares(Tensor x, int height, int width) {
        if (stride == 1) {
            return x;
        }
        int rows = x.size(0);
        int channels = x.size(3);
        return x.slice(1, 0, height * stride)
                .slice(2, 0, width * stride)
                .reshape(rows, height, stride, width, stride, channels)
                .transpose(0, 1, 3, 2, 4, 5)
                .reshape(rows, height, width, stride * stride * channels);
    }
}
