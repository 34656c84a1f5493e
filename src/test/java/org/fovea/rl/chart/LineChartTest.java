// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.util.List;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class LineChartTest {
    /** Pixels that nothing is drawn in. */
    private static final int MARGIN = 8;

    @Test
    void aPictureHasItsLinesAndLevelsWithinItsAxes() throws Exception {
        double[] x = {0, 500, 1000};
        LineChart.Line line = new LineChart.Line(
                "<a & b>", x, new double[] {0, 50, 100}, new double[] {-10, 40, 90}, new double[] {10, 60, 100});
        String svg = new LineChart("title", "subtitle", List.of(line), List.of(new LineChart.Level("best", 120))).svg();

        Document document =
                DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
        assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
        // Ticks of 20 from -20 to 120 over 300 points from 60 down, and steps over 640 from 84 on.
        assertThat(svg)
                .contains("<path class=\"line c0\" d=\"M84.0 317.1L404.0 210.0L724.0 102.9\"/>")
                .contains("<path class=\"level\" d=\"M84.0 60.0L724.0 60.0\"/>")
                .contains(">-20<", ">120<", ">1,000<", "&lt;a &amp; b&gt;");
    }

    @Test
    void namesOfLevelsThatAreCloseDoNotOverlap() {
        List<LineChart.Level> levels = List.of(
                new LineChart.Level("random", 0),
                new LineChart.Level("solved", 0.5),
                new LineChart.Level("perfect", 100),
                new LineChart.Level("to beat", 99));
        List<Double> names = Pattern.compile("<text x=\"738.0\" y=\"([0-9.]+)\">")
                .matcher(new LineChart("title", "subtitle", List.of(), levels).svg())
                .results()
                .map(name -> Double.valueOf(name.group(1)))
                .toList();
        assertThat(names).containsExactly(64.0, 78.0, 350.0, 364.0);
    }

    @Test
    void returnsThatAreAllTheSameAreInTheMiddle() {
        double[] same = {-500, -500};
        LineChart.Line line = new LineChart.Line("line", new double[] {10, 20}, same, same, same);
        assertThat(new LineChart("title", "subtitle", List.of(line), List.of()).svg())
                .contains("d=\"M404.0 210.0L724.0 210.0\"")
                .contains(">-520<", ">-500<", ">-480<");
    }

    /** The same drawing as pixels: the line's colour is where the line is, and the page's where nothing is. */
    @Test
    void pixelsAreThoseOfTheSameDrawing() throws Exception {
        double[] same = {-500, -500};
        LineChart.Line line = new LineChart.Line("line", new double[] {10, 20}, same, same, same);

        BufferedImage image = ImageIO.read(
                new ByteArrayInputStream(new LineChart("title", "subtitle", List.of(line), List.of()).png()));

        assertThat(image.getRGB(2 * 500, 2 * 210)).isEqualTo(0xff0072b2);
        assertThat(image.getRGB(2 * 500, 2 * 225)).isEqualTo(0xffffffff);
    }

    @Test
    void longNamesOfLevelsFit() throws Exception {
        List<LineChart.Level> levels = List.of(new LineChart.Level("best without memory -0.28", 0.5));
        BufferedImage image =
                ImageIO.read(new ByteArrayInputStream(new LineChart("title", "subtitle", List.of(), levels).png()));

        BufferedImage margin = image.getSubimage(image.getWidth() - MARGIN, 0, MARGIN, image.getHeight());
        assertThat(margin.getRGB(0, 0, MARGIN, margin.getHeight(), null, 0, MARGIN))
                .as("pixels at the right edge")
                .containsOnly(image.getRGB(0, 0));
    }

    @Test
    void aPictureOfNothingIsOne() {
        assertThat(new LineChart("empty", "", List.of(), List.of()).svg()).contains("</svg>");
    }
}
