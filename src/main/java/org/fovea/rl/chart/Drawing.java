// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;
import javax.imageio.ImageIO;
import org.fovea.io.DurableFiles;

/** Something that can be drawn, as SVG or as pixels. */
public interface Drawing {
    /** Of the picture, in pixels of an ordinary screen. */
    int width();

    /** The same. */
    int height();

    /** Draws all of it. */
    void draw(Canvas canvas);

    /** As SVG, with colours for a light and for a dark page. */
    default String svg() {
        SvgCanvas canvas = new SvgCanvas(width(), height());
        draw(canvas);
        return canvas.text();
    }

    /**
     * As PNG on a white page, of twice the width and height.
     *
     * @throws IOException if this machine has no fonts
     */
    default byte[] png() throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            ImageCanvas canvas = new ImageCanvas(width(), height());
            draw(canvas);
            BufferedImage image = canvas.image();
            ImageIO.write(image, "png", bytes);
        } catch (LinkageError | InternalError | RuntimeException e) {
            throw new IOException(
                    "this machine has no fonts that Java could draw with; an SVG picture needs none: " + e, e);
        }
        return bytes.toByteArray();
    }

    /** Refuses a file whose name ends in neither .png nor .svg. */
    static void requirePicture(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        if (!name.endsWith(".png") && !name.endsWith(".svg")) {
            throw new IllegalArgumentException("a picture's name ends in .png or .svg, unlike " + file);
        }
    }

    /**
     * Writes the picture in the format that the file's name says, as a whole.
     *
     * @throws IOException naming the file if it cannot be written
     */
    default void write(Path file) throws IOException {
        requirePicture(file);
        boolean isSvg = file.toString().toLowerCase(Locale.ROOT).endsWith(".svg");
        DurableFiles.write(file, isSvg ? svg().getBytes(StandardCharsets.UTF_8) : png());
    }
}
