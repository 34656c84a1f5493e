// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Dimension;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.Area;
import java.awt.geom.Ellipse2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.geom.RoundRectangle2D;
import java.util.List;
import org.fovea.env.Drawable;

/** The picture of cards that lie side by side. */
abstract class CardPicture implements Drawable {
    private static final String[] SUITS = {"\u2663", "\u2666", "\u2665", "\u2660"};
    private static final String[] RANKS = {"A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K"};
    private static final Color RED = new Color(0xc8453b);
    private static final Color BLACK = new Color(0x22262e);

    /**
     * A card.
     *
     * @param title above it
     * @param face what counts of it
     * @param value which of these it has; -1 for one that is not seen
     */
    record Card(String title, CardGame.Face face, int value) {
        String text() {
            if (value < 0) {
                return "?";
            }
            return switch (face) {
                case COLOUR -> value == 0 ? "black" : "red";
                case SUIT -> SUITS[value];
                case RANK -> RANKS[value];
            };
        }

        private boolean isRed() {
            return face == CardGame.Face.COLOUR ? value == 1 : face == CardGame.Face.SUIT && (value == 1 || value == 2);
        }
    }

    /** What lies there, from left to right. */
    abstract List<Card> cards();

    /** What there is to say besides. */
    abstract String caption();

    @Override
    public final Dimension size() {
        return new Dimension(480, 260);
    }

    @Override
    public final void draw(Graphics2D graphics) {
        graphics.setColor(Board.DARK);
        graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 16));
        graphics.drawString(caption(), 12, 28);
        List<Card> cards = cards();
        double left = 240 - cards.size() * 75.0;
        for (Card card : cards) {
            graphics.setColor(Board.DARK);
            graphics.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 13));
            graphics.drawString(card.title, (float) left + 16, 62);
            RoundRectangle2D sheet = new RoundRectangle2D.Double(left + 16, 72, 118, 168, 16, 16);
            graphics.setColor(card.value < 0 ? new Color(0xb9c2d0) : Color.WHITE);
            graphics.fill(sheet);
            graphics.setColor(new Color(0x9aa3b2));
            graphics.setStroke(new BasicStroke(2));
            graphics.draw(sheet);
            graphics.setColor(card.isRed() ? RED : BLACK);
            if (card.face == CardGame.Face.RANK && card.value >= 0) {
                graphics.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 54));
                String text = card.text();
                int width = graphics.getFontMetrics().stringWidth(text);
                graphics.drawString(text, (float) (left + 75 - width / 2.0), 176);
            } else if (card.value >= 0) {
                graphics.fill(symbol(card, left + 75, 156));
            }
            left += 150;
        }
    }

    /** Around a centre, 64 high. */
    private static Shape symbol(Card card, double x, double y) {
        if (card.face == CardGame.Face.COLOUR) {
            return new Ellipse2D.Double(x - 30, y - 30, 60, 60);
        }
        return switch (card.value) {
            case 0 -> joined(circle(x, y - 16), circle(x - 16, y + 8), circle(x + 16, y + 8), stem(x, y));
            case 1 -> polygon(x, y - 34, x + 25, y, x, y + 34, x - 25, y);
            case 2 ->
                joined(
                        circle(x - 14, y - 12),
                        circle(x + 14, y - 12),
                        polygon(x - 28, y - 5, x + 28, y - 5, x, y + 32));
            default ->
                joined(
                        circle(x - 14, y + 6),
                        circle(x + 14, y + 6),
                        polygon(x - 28, y, x + 28, y, x, y - 34),
                        stem(x, y));
        };
    }

    private static Shape circle(double x, double y) {
        return new Ellipse2D.Double(x - 15, y - 15, 30, 30);
    }

    private static Shape stem(double x, double y) {
        return joined(new Rectangle2D.Double(x - 3, y, 6, 30), polygon(x, y + 18, x + 12, y + 34, x - 12, y + 34));
    }

    private static Shape polygon(double... points) {
        Path2D path = new Path2D.Double();
        path.moveTo(points[0], points[1]);
        for (int i = 2; i < points.length; i += 2) {
            path.lineTo(points[i], points[i + 1]);
        }
        path.closePath();
        return path;
    }

    private static Shape joined(Shape... shapes) {
        Area area = new Area();
        for (Shape shape : shapes) {
            area.add(new Area(shape));
        }
        return area;
    }

    @Override
    public final String text() {
        StringBuilder text = new StringBuilder(caption());
        for (Card card : cards()) {
            text.append('\n')
                    .append(card.title)
                    .append(card.title.isEmpty() ? "" : ": ")
                    .append(card.text());
        }
        return text.toString();
    }
}
