// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.AffineTransform;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;

/** A picture of pixels on a white page, two to a unit. */
final class ImageCanvas implements Canvas {
    private static final int SCALE = 2;
    private static final int BAND_ALPHA = 38;
    private static final Color INK = new Color(0x222222);
    private static final Color GRID = new Color(0xdddddd);
    private static final Color LEVEL = new Color(0x777777);
    private static final BasicStroke THIN = new BasicStroke(1);
    private static final BasicStroke DASHED =
            new BasicStroke(1, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 10, new float[] {6, 4}, 0);
    private static final BasicStroke THICK = new BasicStroke(2, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND);

    private final BufferedImage image;
    private final Graphics2D graphics;

    ImageCanvas(int width, int height) {
        image = new BufferedImage(SCALE * width, SCALE * height, BufferedImage.TYPE_INT_RGB);
        graphics = image.createGraphics();
        graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        graphics.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        graphics.scale(SCALE, SCALE);
        graphics.setColor(Color.WHITE);
        graphics.fillRect(0, 0, width, height);
    }

    @Override
    public void rule(Rule rule, double fromX, double fromY, double toX, double toY) {
        graphics.setColor(rule == Rule.GRID ? GRID : LEVEL);
        graphics.setStroke(rule == Rule.LEVEL ? DASHED : THIN);
        graphics.draw(new Line2D.Double(fromX, fromY, toX, toY));
    }

    @Override
    public void line(int colour, double[] x, double[] y) {
        graphics.setColor(Palette.LIGHT.colour(colour));
        graphics.setStroke(THICK);
        Path2D path = new Path2D.Double();
        for (int i = 0; i < x.length; i++) {
            append(path, x[i], y[i]);
        }
        graphics.draw(path);
    }

    @Override
    public void band(int colour, double[] x, double[] low, double[] high) {
        Color opaque = Palette.LIGHT.colour(colour);
        graphics.setColor(new Color(opaque.getRed(), opaque.getGreen(), opaque.getBlue(), BAND_ALPHA));
        Path2D path = new Path2D.Double();
        for (int i = 0; i < x.length; i++) {
            append(path, x[i], low[i]);
        }
        for (int i = x.length - 1; i >= 0; i--) {
            append(path, x[i], high[i]);
        }
        graphics.fill(path);
    }

    private static void append(Path2D path, double x, double y) {
        if (path.getCurrentPoint() == null) {
            path.moveTo(x, y);
        } else {
            path.lineTo(x, y);
        }
    }

    @Override
    public void cell(double x, double y, double width, double height, double shade) {
        Color full = Double.isNaN(shade) ? GRID : Palette.LIGHT.colour(0);
        double share = Double.isNaN(shade) ? 1 : Math.max(0, Math.min(1, shade));
        graphics.setColor(
                new Color(mixed(full.getRed(), share), mixed(full.getGreen(), share), mixed(full.getBlue(), share)));
        graphics.fill(new Rectangle2D.Double(x, y, width, height));
    }

    private static int mixed(int component, double share) {
        return (int) Math.round(255 + (component - 255) * share);
    }

    @Override
    public void frame(double x, double y, double width, double height) {
        graphics.setColor(LEVEL);
        graphics.setStroke(THIN);
        graphics.draw(new Rectangle2D.Double(x, y, width, height));
    }

    @Override
    public void text(double x, double y, int size, Anchor anchor, String text) {
        graphics.setColor(INK);
        graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, size));
        double width = graphics.getFontMetrics().getStringBounds(text, graphics).getWidth();
        double left = switch (anchor) {
            case START -> x;
            case MIDDLE -> x - width / 2;
            case END -> x - width;
        };
        graphics.drawString(text, (float) left, (float) y);
    }

    @Override
    public void rotatedText(double x, double y, int size, String text) {
        AffineTransform before = graphics.getTransform();
        graphics.translate(x, y);
        graphics.rotate(-Math.PI / 2);
        text(0, 0, size, Anchor.MIDDLE, text);
        graphics.setTransform(before);
    }

    BufferedImage image() {
        graphics.dispose();
        return image;
    }
}
