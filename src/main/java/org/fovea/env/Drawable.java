// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.awt.Color;
import java.awt.Dimension;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import org.jspecify.annotations.Nullable;

/**
 * What can be looked at: an {@link Environment} that shows its present state as a picture, as text, or both. Whoever watches an
 * episode asks after {@code reset} and after each {@code step}; in training nobody does.
 */
public interface Drawable {
    /** Width and height of the picture, in the units that everything here is in. */
    default Dimension size() {
        return new Dimension(480, 320);
    }

    /** Draws the present state on white; what it draws is scaled with the picture. Unless it is overridden, that is {@link #text}. */
    default void draw(Graphics2D graphics) {
        graphics.setColor(Color.BLACK);
        graphics.setFont(new Font(Font.MONOSPACED, Font.PLAIN, 14));
        int y = 24;
        for (String line : text().split("\n", -1)) {
            graphics.drawString(line, 16, y);
            y += 18;
        }
    }

    /** The present state as text for a terminal, of one line or more; empty if there is none. */
    default String text() {
        return "";
    }

    /**
     * What of the picture the present observation is about, such as the field that it tells about: attention to this step is shown
     * there.
     *
     * @param last action that was taken, null in an episode's first step
     * @return null if there is no such place
     */
    default @Nullable Rectangle2D place(@Nullable Action last) {
        return null;
    }

    /**
     * Where in the picture an entity is.
     *
     * @param path of the {@link Space.Entities} in the observation
     * @param row of the present observation
     * @return null if it is not in the picture
     */
    default @Nullable Rectangle2D entity(String path, int row) {
        return null;
    }
}
