// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

/** What pictures are drawn on, in pixels from the upper left corner. */
public interface Canvas {
    /** What a straight line is for. */
    enum Rule {
        GRID,
        LEVEL,
        LEADER
    }

    /** What of a text is at its place. */
    enum Anchor {
        START,
        MIDDLE,
        END
    }

    /** A straight line. */
    void rule(Rule rule, double fromX, double fromY, double toX, double toY);

    /** A line through points, in one of the colours. */
    void line(int colour, double[] x, double[] y);

    /** What is between two lines, in one of the colours, pale. */
    void band(int colour, double[] x, double[] low, double[] high);

    /** A cell of a map: from the page's colour at a shade of 0 to the strongest at 1; NaN is hatched, what is not there. */
    void cell(double x, double y, double width, double height, double shade);

    /** A frame around what was drawn there. */
    void frame(double x, double y, double width, double height);

    /** A text on one line. */
    void text(double x, double y, int size, Anchor anchor, String text);

    /** A text that goes up, its middle at its place. */
    void rotatedText(double x, double y, int size, String text);
}
