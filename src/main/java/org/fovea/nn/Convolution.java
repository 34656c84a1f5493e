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
        this.linear = new Linear(
                parameters, name, kernel * kernel * in, out, Initializer.orthogonal(Math.sqrt(2)), Activation.RELU);
    }

    /** Patches along an axis of {@code pixels}. */
    static int patches(int pixels, int kernel, int stride) {
        return (pixels - kernel) / stride + 1;
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
