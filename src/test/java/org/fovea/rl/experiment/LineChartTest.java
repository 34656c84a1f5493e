// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.experiment;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.StringReader;
import java.util.List;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.xml.sax.InputSource;

class LineChartTest {
    @Test
    void aPictureHasItsLinesAndLevelsWithinItsAxes() throws Exception {
        double[] x = {0, 500, 1000};
        LineChart.Line line = new LineChart.Line(
                "<a & b>", x, new double[] {0, 50, 100}, new double[] {-10, 40, 90}, new double[] {10, 60, 100});
        String svg = new LineChart("title", List.of(line), List.of(new LineChart.Level("best", 120))).svg();

        Document document =
                DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(svg)));
        assertThat(document.getDocumentElement().getTagName()).isEqualTo("svg");
        // Ticks of 20 from -20 to 120 over 300 points from 40 down, and steps over 670 from 70 on.
        assertThat(svg)
                .contains("d=\"M70.0 297.1L405.0 190.0L740.0 82.9\" fill=\"none\"")
                .contains("d=\"M70 40.0h670\" stroke=\"#777777\"")
                .contains(">-20<", ">120<", ">1,000<", "&lt;a &amp; b&gt;");
    }

    @Test
    void aPictureOfNothingIsOne() {
        assertThat(new LineChart("empty", List.of(), List.of()).svg()).contains("</svg>");
    }
}
