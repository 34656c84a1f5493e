// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.awt.Color;
import java.awt.Dimension;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.fovea.env.Action;
import org.fovea.env.Drawable;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.jspecify.annotations.Nullable;

/** Takes pictures of an environment. A fault in drawing ends the pictures, not the episode. */
final class EpisodeViews {
    private final @Nullable Drawable drawable;
    private final List<Schema.Leaf> sets;
    private final int pictureWidth;
    private String failure = "";

    /**
     * @param drawable null if the environment can't be looked at
     * @param pictureWidth in pixels; 0 for no pictures
     */
    EpisodeViews(@Nullable Drawable drawable, Space observations, int pictureWidth) {
        this.drawable = drawable;
        this.pictureWidth = pictureWidth;
        this.sets = Schema.of(observations).leaves().stream()
                .filter(leaf -> leaf.space() instanceof Space.Entities)
                .toList();
    }

    /** Why there are no more pictures; empty if nothing failed. */
    String failure() {
        return failure;
    }

    /**
     * How the environment is to be seen now.
     *
     * @param last action that was taken, null in the first step
     * @param observation of now; empty where the episode has ended
     */
    Episode.View take(@Nullable Action last, float[] observation) {
        if (drawable == null || !failure.isEmpty()) {
            return Episode.View.NONE;
        }
        try {
            Dimension size = drawable.size();
            byte[] picture = pictureWidth == 0 ? new byte[0] : picture(drawable, size);
            List<Episode.Entities> entities = new ArrayList<>();
            for (Schema.Leaf leaf : observation.length == 0 ? List.<Schema.Leaf>of() : sets) {
                int count = (int) observation[leaf.offset() + leaf.space().size() - 1];
                List<@Nullable Rectangle2D> places = new ArrayList<>();
                for (int row = 0; row < count; row++) {
                    places.add(fractions(drawable.entity(leaf.path(), row), size));
                }
                entities.add(new Episode.Entities(leaf.path(), places));
            }
            return new Episode.View(picture, drawable.text(), fractions(drawable.place(last), size), entities);
        } catch (Exception | LinkageError | InternalError e) {
            // Errors: AWT without its libraries or without fonts.
            failure = drawable.getClass().getName() + ": " + e;
            return Episode.View.NONE;
        }
    }

    private static @Nullable Rectangle2D fractions(@Nullable Rectangle2D place, Dimension of) {
        return place == null
                ? null
                : new Rectangle2D.Double(
                        place.getX() / of.width,
                        place.getY() / of.height,
                        place.getWidth() / of.width,
                        place.getHeight() / of.height);
    }

    private byte[] picture(Drawable environment, Dimension size) throws IOException {
        double scale = (double) pictureWidth / size.width;
        BufferedImage image = new BufferedImage(
                pictureWidth, (int) Math.max(1, Math.round(size.height * scale)), BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        try {
            graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
            graphics.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
            graphics.setColor(Color.WHITE);
            graphics.fillRect(0, 0, image.getWidth(), image.getHeight());
            graphics.scale(scale, scale);
            environment.draw(graphics);
        } finally {
            graphics.dispose();
        }
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(image, "png", png);
        return png.toByteArray();
    }
}
