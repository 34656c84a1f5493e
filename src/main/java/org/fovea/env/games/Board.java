// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.Color;
import java.awt.Dimension;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.geom.Rectangle2D;
import org.fovea.env.Drawable;

/** The picture of a game on fields in rows and columns, each of which has a colour and perhaps a letter. */
abstract class Board implements Drawable {
    static final Color EMPTY = new Color(0xe6e9ee);
    static final Color DARK = new Color(0x3b4252);
    static final Color AGENT = new Color(0x1f5fbf);
    static final Color GOOD = new Color(0x2e9e5b);
    static final Color BAD = new Color(0xc8453b);
    static final Color MARK = new Color(0xe0a020);

    private static final int WIDTH = 480;
    private static final int MARGIN = 12;
    private static final int CAPTION = 34;
    private static final int LARGEST_FIELD = 64;

    private final int rows;
    private final int columns;
    private final double field;

    Board(int rows, int columns) {
        this.rows = rows;
        this.columns = columns;
        this.field = Math.min(
                LARGEST_FIELD, Math.min((WIDTH - 2.0 * MARGIN) / columns, (WIDTH - 2.0 * MARGIN - CAPTION) / rows));
    }

    /** Its colour. */
    abstract Color colour(int row, int column);

    /** What is written on it, short or nothing. */
    String label(int row, int column) {
        return "";
    }

    /** What there is to say besides. */
    abstract String caption();

    @Override
    public final Dimension size() {
        return new Dimension(WIDTH, (int) Math.ceil(rows * field + 2 * MARGIN + CAPTION));
    }

    /** Where a field is. */
    final Rectangle2D field(int row, int column) {
        double left = (WIDTH - columns * field) / 2;
        return new Rectangle2D.Double(left + column * field, MARGIN + CAPTION + row * field, field, field);
    }

    @Override
    public final void draw(Graphics2D graphics) {
        graphics.setColor(DARK);
        Font heading = new Font(Font.SANS_SERIF, Font.PLAIN, 16);
        double fits = (WIDTH - 2.0 * MARGIN)
                / Math.max(1, graphics.getFontMetrics(heading).stringWidth(caption()));
        graphics.setFont(heading.deriveFont((float) (16 * Math.min(1, fits))));
        graphics.drawString(caption(), MARGIN, MARGIN + 16);
        graphics.setFont(new Font(Font.SANS_SERIF, Font.BOLD, (int) Math.max(6, field * 0.45)));
        FontMetrics metrics = graphics.getFontMetrics();
        double gap = Math.min(2, field / 12);
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++) {
                Rectangle2D at = field(row, column);
                Color colour = colour(row, column);
                graphics.setColor(colour);
                graphics.fill(new Rectangle2D.Double(
                        at.getX() + gap, at.getY() + gap, at.getWidth() - 2 * gap, at.getHeight() - 2 * gap));
                String label = label(row, column);
                if (!label.isEmpty()) {
                    graphics.setColor(colour.equals(EMPTY) ? DARK : Color.WHITE);
                    graphics.drawString(label, (float) (at.getCenterX() - metrics.stringWidth(label) / 2.0), (float)
                            (at.getCenterY() + metrics.getAscent() * 0.38));
                }
            }
        }
    }

    @Override
    public final String text() {
        StringBuilder text = new StringBuilder(caption());
        for (int row = 0; row < rows; row++) {
            text.append('\n');
            for (int column = 0; column < columns; column++) {
                String label = label(row, column);
                String shown = label.isEmpty() ? colour(row, column).equals(EMPTY) ? "." : "#" : label;
                text.append(column == 0 ? "" : " ").append(shown);
            }
        }
        return text.toString();
    }
}
