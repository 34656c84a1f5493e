// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.tensor.Initializer;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tensor;

/**
 * Convolutions over a picture and a layer over what they find. Pictures of 36 pixels and more on each side go through those of
 * Mnih et al. 2015 (doi:10.1038/nature14236), smaller ones through as many of 3 x 3 and 16 channels (Young and Tian 2019,
 * arXiv:1903.03176, have one), at most two, as they have room for.
 */
public final class ImageEncoder {
    private static final int LARGE = 36;
    private static final int SMALL_KERNEL = 3;
    private static final int SMALL_CHANNELS = 16;
    private static final int SMALL_LAYERS = 2;

    private final int channels;
    private final int height;
    private final int width;
    private final List<Convolution> convolutions = new ArrayList<>();
    private final Linear output;
    private final int size;
    private final long flops;
    private final long activations;

    /**
     * An encoder whose parameters' names begin with {@code name}.
     *
     * @param size numbers that a picture is encoded by
     */
    public ImageEncoder(Parameters parameters, String name, int channels, int height, int width, int size) {
        this.channels = channels;
        this.height = height;
        this.width = width;
        this.size = size;
        int[][] layers = {{32, 8, 4}, {64, 4, 2}, {64, 3, 1}};
        if (Math.min(height, width) < LARGE) {
            int room = (Math.min(height, width) - 1) / (SMALL_KERNEL - 1);
            layers = new int[Math.min(SMALL_LAYERS, room)][];
            Arrays.fill(layers, new int[] {SMALL_CHANNELS, SMALL_KERNEL, 1});
        }
        int in = channels;
        int rows = height;
        int columns = width;
        long products = 0;
        long held = (long) channels * height * width;
        for (int[] layer : layers) {
            Convolution convolution = new Convolution(
                    parameters, name + ".convolution" + convolutions.size(), in, layer[0], layer[1], layer[2]);
            held += convolution.activations(rows, columns, in, !convolutions.isEmpty());
            convolutions.add(convolution);
            products += (long) layer[1]
                    * layer[1]
                    * in
                    * layer[0]
                    * Convolution.patches(rows, layer[1], layer[2])
                    * Convolution.patches(columns, layer[1], layer[2]);
            in = layer[0];
            rows = Convolution.patches(rows, layer[1], layer[2]);
            columns = Convolution.patches(columns, layer[1], layer[2]);
        }
        this.flops = 2 * (products + (long) rows * columns * in * size);
        this.activations = held + (long) rows * columns * in + 3L * size;
        this.output = new Linear(
                parameters,
                name + ".output",
                rows * columns * in,
                size,
                Initializer.orthogonal(Math.sqrt(2)),
                Activation.RELU);
    }

    /** Numbers that a picture is encoded by. */
    public int size() {
        return size;
    }

    /** Multiply-adds times two for one picture. */
    public long flops() {
        return flops;
    }

    /** Numbers that a pass over one picture, and back, takes. */
    public long activations() {
        return activations;
    }

    /** Pictures [rows, channels * height * width], channels first, to [rows, size()]. */
    public Tensor apply(Tensor pictures) {
        int rows = pictures.size(0);
        Tensor x = pictures.reshape(rows, channels, height, width).transpose(0, 2, 3, 1);
        for (Convolution convolution : convolutions) {
            x = convolution.apply(x);
        }
        return output.apply(x.reshape(rows, x.size(1) * x.size(2) * x.size(3)));
    }
}
