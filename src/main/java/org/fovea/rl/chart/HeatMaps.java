// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.util.List;
import java.util.Locale;
import org.fovea.rl.chart.Canvas.Anchor;

/**
 * Matrices as maps, side by side in rows of several: the darker a cell, the larger its number, and the largest of a map is the darkest.
 *
 * @param subtitle what a cell is
 * @param rowLabel what goes down
 * @param columnLabel what goes to the right
 * @param perRow maps in a row
 */
public record HeatMaps(String title, String subtitle, String rowLabel, String columnLabel, List<Map> maps, int perRow)
        implements Drawing {
    private static final int LEFT = 44;
    private static final int TOP = 58;
    private static final int PLOT = 200;
    private static final int LARGE_PLOT = 520;
    private static final int GAP_X = 56;
    private static final int GAP_Y = 66;
    private static final int BOTTOM = 44;

    /** Room for what the label of the last map has over it. */
    private static final int RIGHT = 72;

    private static final int SIZE = 12;
    private static final int TITLE_SIZE = 15;

    /** More cells to a side than that are joined to fewer, each the largest of a block: nobody would see them. */
    private static final int MOST_CELLS = 128;

    /**
     * One map.
     *
     * @param values [rows][columns], rows from the top; NaN where there is nothing
     */
    public record Map(String label, float[][] values) {
        /** The largest value, 0 if there is none. */
        public float largest() {
            float largest = 0;
            for (float[] row : values) {
                for (float value : row) {
                    largest = value > largest ? value : largest;
                }
            }
            return largest;
        }

        private int rows() {
            return values.length;
        }

        private int columns() {
            return values.length == 0 ? 0 : values[0].length;
        }
    }

    private int plot() {
        return maps.size() == 1 ? LARGE_PLOT : PLOT;
    }

    @Override
    public int width() {
        int columns = Math.min(perRow, Math.max(1, maps.size()));
        return LEFT + columns * plot() + (columns - 1) * GAP_X + RIGHT;
    }

    @Override
    public int height() {
        int rows = (Math.max(1, maps.size()) + perRow - 1) / perRow;
        return TOP + rows * (plot() + GAP_Y) + BOTTOM - 20;
    }

    @Override
    public void draw(Canvas canvas) {
        canvas.text(LEFT, 22, TITLE_SIZE, Anchor.START, title);
        canvas.text(LEFT, 41, SIZE, Anchor.START, subtitle);
        for (int i = 0; i < maps.size(); i++) {
            int left = LEFT + i % perRow * (plot() + GAP_X);
            int top = TOP + i / perRow * (plot() + GAP_Y) + 20;
            draw(canvas, maps.get(i), left, top);
        }
    }

    private void draw(Canvas canvas, Map map, double left, double top) {
        int plot = plot();
        float largest = map.largest();
        canvas.text(
                left, top - 6, SIZE, Anchor.START, String.format(Locale.ROOT, "%s, up to %.2f", map.label, largest));
        int block = Math.max(1, (Math.max(map.rows(), map.columns()) + MOST_CELLS - 1) / MOST_CELLS);
        double height = (double) plot * block / Math.max(1, map.rows());
        double width = (double) plot * block / Math.max(1, map.columns());
        double cellHeight = height / block;
        double cellWidth = width / block;
        for (int row = 0; row < map.rows(); row += block) {
            for (int column = 0; column < map.columns(); column += block) {
                float value = largestOf(map.values, row, column, block);
                if (!Float.isNaN(value) && value > 0) {
                    double y = top + row * cellHeight;
                    double x = left + column * cellWidth;
                    canvas.cell(
                            x,
                            y,
                            Math.min(width, left + plot - x),
                            Math.min(height, top + plot - y),
                            largest > 0 ? value / largest : 0);
                }
            }
        }
        canvas.frame(left, top, plot, plot);
        ends(canvas, left, top, map);
        canvas.text(left + plot / 2.0, top + plot + 30, SIZE, Anchor.MIDDLE, columnLabel);
        canvas.rotatedText(left - 24, top + plot / 2.0, SIZE, rowLabel);
    }

    /** Numbers of the first and the last row and column. */
    private void ends(Canvas canvas, double left, double top, Map map) {
        int plot = plot();
        canvas.text(left - 6, top + 10, SIZE, Anchor.END, "0");
        canvas.text(left - 6, top + plot, SIZE, Anchor.END, Integer.toString(Math.max(0, map.rows() - 1)));
        canvas.text(left, top + plot + 14, SIZE, Anchor.START, "0");
        canvas.text(left + plot, top + plot + 14, SIZE, Anchor.END, Integer.toString(Math.max(0, map.columns() - 1)));
    }

    private static float largestOf(float[][] values, int row, int column, int block) {
        float largest = Float.NaN;
        for (int i = row; i < Math.min(row + block, values.length); i++) {
            for (int j = column; j < Math.min(column + block, values[i].length); j++) {
                largest = Float.isNaN(largest) || values[i][j] > largest ? values[i][j] : largest;
            }
        }
        return largest;
    }
}
