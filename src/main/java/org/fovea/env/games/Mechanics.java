// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.util.Locale;
import java.util.function.DoubleSupplier;
import java.util.function.DoubleUnaryOperator;
import org.fovea.env.Drawable;

/** Pictures of carts, rods and hills, 480 x 320. */
final class Mechanics {
    private static final Color ROD = new Color(0xc08a3e);
    private static final int CENTRE = 240;

    private Mechanics() {}

    /**
     * A cart on a track, with a pole.
     *
     * @param range that the track reaches to either side
     * @param angle of the pole from upright, clockwise
     */
    static Drawable cartPole(DoubleSupplier position, DoubleSupplier angle, double range) {
        return new Drawable() {
            @Override
            public void draw(Graphics2D graphics) {
                double x = CENTRE + position.getAsDouble() / range * 220;
                line(graphics, Board.DARK, 2, 20, 240, 460, 240);
                graphics.setColor(Board.DARK);
                graphics.fill(new Rectangle2D.Double(x - 30, 215, 60, 26));
                double theta = angle.getAsDouble();
                line(graphics, ROD, 10, x, 215, x + 150 * Math.sin(theta), 215 - 150 * Math.cos(theta));
                dot(graphics, Board.AGENT, x, 215, 7);
            }

            @Override
            public String text() {
                double theta = angle.getAsDouble();
                return track(position.getAsDouble() / range)
                        + String.format(
                                Locale.ROOT,
                                "%nposition %.2f, pole %.1f degrees to the %s",
                                position.getAsDouble(),
                                Math.abs(Math.toDegrees(theta)),
                                theta < 0 ? "left" : "right");
            }
        };
    }

    /**
     * Links of the same length, one hanging on the other.
     *
     * @param angles of each from hanging down, counter-clockwise, from the link before
     */
    static Drawable links(double length, DoubleSupplier... angles) {
        return new Drawable() {
            @Override
            public void draw(Graphics2D graphics) {
                double x = CENTRE;
                double y = 160;
                double direction = 0;
                if (angles.length > 1) {
                    line(graphics, Board.GOOD, 1, 20, y - length, 460, y - length);
                }
                for (DoubleSupplier angle : angles) {
                    direction += angle.getAsDouble();
                    double nextX = x + length * Math.sin(direction);
                    double nextY = y + length * Math.cos(direction);
                    line(graphics, ROD, 12, x, y, nextX, nextY);
                    dot(graphics, Board.AGENT, x, y, 8);
                    x = nextX;
                    y = nextY;
                }
            }

            @Override
            public String text() {
                StringBuilder text = new StringBuilder();
                double direction = 0;
                for (DoubleSupplier angle : angles) {
                    direction += angle.getAsDouble();
                    text.append(text.isEmpty() ? "" : "\n")
                            .append(String.format(
                                    Locale.ROOT,
                                    "link %s %.0f degrees from hanging",
                                    "v\\>/^\\</".charAt((int) Math.floorMod(Math.round(direction / Math.PI * 4), 8L)),
                                    Math.toDegrees(Math.IEEEremainder(direction, 2 * Math.PI))));
                }
                return text.toString();
            }
        };
    }

    /** A car on a hill, whose height is between -1 and 1. */
    static Drawable hill(DoubleSupplier position, double from, double to, double goal, DoubleUnaryOperator height) {
        return new Drawable() {
            private double x(double at) {
                return 20 + (at - from) / (to - from) * 440;
            }

            private double y(double at) {
                return 180 - 90 * height.applyAsDouble(at);
            }

            @Override
            public void draw(Graphics2D graphics) {
                Path2D path = new Path2D.Double();
                path.moveTo(x(from), y(from));
                for (int i = 1; i <= 100; i++) {
                    double at = from + (to - from) * i / 100;
                    path.lineTo(x(at), y(at));
                }
                graphics.setColor(Board.DARK);
                graphics.setStroke(new BasicStroke(3));
                graphics.draw(path);
                line(graphics, Board.GOOD, 3, x(goal), y(goal), x(goal), y(goal) - 50);
                graphics.setColor(Board.GOOD);
                graphics.fill(new Rectangle2D.Double(x(goal), y(goal) - 50, 24, 16));
                double at = position.getAsDouble();
                dot(graphics, Board.AGENT, x(at), y(at) - 11, 11);
            }

            @Override
            public String text() {
                double at = position.getAsDouble();
                return track(2 * (at - from) / (to - from) - 1)
                        + String.format(Locale.ROOT, "%nposition %.2f, goal %.2f", at, goal);
            }
        };
    }

    /** @param at from -1 to 1 */
    private static String track(double at) {
        char[] track = "-".repeat(41).toCharArray();
        track[(int) Math.max(0, Math.min(40, Math.round(20 + 20 * at)))] = 'O';
        return new String(track);
    }

    private static void line(
            Graphics2D graphics, Color colour, double width, double x1, double y1, double x2, double y2) {
        graphics.setColor(colour);
        graphics.setStroke(new BasicStroke((float) width, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        graphics.draw(new Line2D.Double(x1, y1, x2, y2));
    }

    private static void dot(Graphics2D graphics, Color colour, double x, double y, double radius) {
        graphics.setColor(colour);
        graphics.fill(new Ellipse2D.Double(x - radius, y - radius, 2 * radius, 2 * radius));
    }
}
