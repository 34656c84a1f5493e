// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.fovea.env.EnvironmentSpec.ReferenceReturn;
import org.fovea.rl.run.RunFiles;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Draws the return over the steps of a run. */
final class LearningCurve {
    private static final int DOTS_PER_INCH = 144;
    private static final Color BLUE = new Color(0x1f, 0x5f, 0xbf);

    private LearningCurve() {}

    /**
     * Draws the curve of a run from its table.
     *
     * @return the picture, or nothing where no episode has ended yet
     */
    static Optional<Path> draw(Path runDirectory, String title, List<ReferenceReturn> references) throws IOException {
        List<String> lines = Files.readAllLines(runDirectory.resolve(RunFiles.PROGRESS));
        List<String> columns = Arrays.asList(lines.get(0).split(",", -1));
        int stepsColumn = columns.indexOf("steps");
        int returnColumn = columns.indexOf("mean_return");
        List<Double> steps = new ArrayList<>();
        List<Double> returns = new ArrayList<>();
        for (String line : lines.subList(1, lines.size())) {
            String[] cells = line.split(",", -1);
            double meanReturn = Double.parseDouble(cells[returnColumn]);
            if (Double.isFinite(meanReturn)) {
                steps.add(Double.parseDouble(cells[stepsColumn]));
                returns.add(meanReturn);
            }
        }
        if (steps.isEmpty()) {
            return Optional.empty();
        }
        XYChart chart = chart(title);
        float dash = 6;
        for (ReferenceReturn reference : references) {
            line(
                    chart,
                    reference.name(),
                    List.of(0.0, steps.get(steps.size() - 1)),
                    List.of(reference.meanReturn(), reference.meanReturn()),
                    Color.GRAY,
                    new BasicStroke(1.2f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 1, new float[] {dash, 4}, 0));
            dash /= 3;
        }
        line(chart, "mean return of the last 100 episodes", steps, returns, BLUE, new BasicStroke(2));
        Path picture = runDirectory.resolve(RunFiles.LEARNING_CURVE);
        BitmapEncoder.saveBitmapWithDPI(chart, picture.toString(), BitmapFormat.PNG, DOTS_PER_INCH);
        return Optional.of(picture);
    }

    private static XYChart chart(String title) {
        XYChart chart = new XYChartBuilder()
                .width(720)
                .height(400)
                .title(title)
                .xAxisTitle("environment steps")
                .yAxisTitle("return")
                .build();
        XYStyler styler = chart.getStyler();
        styler.setXAxisTickMarkSpacingHint(120);
        styler.setPlotBorderVisible(false);
        styler.setChartBackgroundColor(Color.WHITE);
        styler.setLegendPosition(Styler.LegendPosition.OutsideS);
        styler.setLegendLayout(Styler.LegendLayout.Horizontal);
        styler.setLegendBorderColor(Color.WHITE);
        return chart;
    }

    private static void line(
            XYChart chart, String name, List<Double> x, List<Double> y, Color color, BasicStroke stroke) {
        XYSeries series = chart.addSeries(name, x, y);
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(color);
        series.setLineStyle(stroke);
    }
}
