// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;
import org.fovea.env.Wrapper.ObservationTransform;

/** Transforms of images. */
final class Images {
    private Images() {}

    private static Space.Image require(Space space, String wrapper) {
        if (space instanceof Space.Image image) {
            return image;
        }
        throw new InvalidEnvironmentException(
                "wrapper " + wrapper + " is for observations that are an Image, not " + space);
    }

    /** The brightness of red, green and blue (ITU-R BT.601), from three channels one. */
    static final class Grayscale implements ObservationTransform {
        private final Space.Image space;

        Grayscale(Space inner) {
            Space.Image image = require(inner, "grayscale");
            if (image.channels() != 3) {
                throw new InvalidEnvironmentException("wrapper grayscale is for 3 channels, not " + image.channels());
            }
            space = new Space.Image(1, image.height(), image.width());
        }

        @Override
        public Space space() {
            return space;
        }

        @Override
        public void apply(float[] observations, int from, float[] results, int to) {
            int pixels = space.size();
            for (int p = 0; p < pixels; p++) {
                results[to + p] = 0.299f * observations[from + p]
                        + 0.587f * observations[from + pixels + p]
                        + 0.114f * observations[from + 2 * pixels + p];
            }
        }
    }

    /** The mean of each square of pixels; what is left over at the right and lower edge is dropped. */
    static final class Downsample implements ObservationTransform {
        private final Space.Image from;
        private final Space.Image space;
        private final int factor;

        Downsample(Space inner, int factor) {
            from = require(inner, "downsample");
            if (factor > Math.min(from.height(), from.width())) {
                throw new InvalidEnvironmentException("wrapper downsample=" + factor + " leaves nothing of "
                        + from.height() + " x " + from.width() + " pixels");
            }
            space = new Space.Image(from.channels(), from.height() / factor, from.width() / factor);
            this.factor = factor;
        }

        @Override
        public Space space() {
            return space;
        }

        @Override
        public void apply(float[] observations, int first, float[] results, int to) {
            Arrays.fill(results, to, to + space.size(), 0);
            float share = 1f / (factor * factor);
            for (int channel = 0; channel < space.channels(); channel++) {
                for (int y = 0; y < space.height() * factor; y++) {
                    int read = first + (channel * from.height() + y) * from.width();
                    int written = to + (channel * space.height() + y / factor) * space.width();
                    for (int x = 0; x < space.width() * factor; x++) {
                        results[written + x / factor] += share * observations[read + x];
                    }
                }
            }
        }
    }
}
