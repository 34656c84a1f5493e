// SPDX-License-Identifier: Apache-2.0
package org.fovea.nn;

import java.util.ArrayList;
import java.util.Collections;
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
     * A convolution.
     *
     * @param channels that it gives
     * @param kernel side of a patch
     * @param stride pixels by which it moves
     */
    public record Layer(int channels, int kernel, int stride) {}

    /** The convolutions that pictures of a size go through, in order. */
    public static List<Layer> layers(int height, int width) {
        int least = Math.min(height, width);
        return least >= LARGE
                ? List.of(new Layer(32, 8, 4), new Layer(64, 4, 2), new Layer(64, 3, 1))
                : Collections.nCopies(
                        Math.min(SMALL_LAYERS, (least - 1) / (SMALL_KERNEL - 1)),
                        new Layer(SMALL_CHANNELS, SMALL_KERNEL, 1));
    }

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
        int in = channels;
        int rows = height;
        int columns = width;
        long products = 0;
        long held = (long) channels * height * width;
        for (Layer layer : layers(height, width)) {
            Convolution convolution = new Convolution(
                    parameters,
                    name + ".convolution" + convolutions.size(),
                    in,
                    layer.channels,
                    layer.kernel,
                    layer.stride);
            held += convolution.activations(rows, columns, in, !convolutions.isEmpty());
            convolutions.add(convolution);
            products += (long) layer.kernel
                    * layer.kernel
                    * in
                    * layer.channels
                    * Convolution.patches(rows, layer.kernel, layer.stride)
                    * Convolution.patches(columns, layer.kernel, layer.stride);
            in = layer.channels;
            rows = Convolution.patches(rows, layer.kernel, layer.stride);
            columns = Convolution.patches(columns, layer.kernel, layer.stride);
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
