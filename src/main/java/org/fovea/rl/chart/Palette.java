// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.chart;

import java.awt.Color;
import java.util.List;

/** Colours of lines, of which there are as many for a light page as for a dark one. */
record Palette(List<String> colours) {
    /** Those of Okabe and Ito, which colour-blind people can tell apart, and a grey; dark enough for a white page. */
    static final Palette LIGHT = new Palette(
            List.of("#0072b2", "#d55e00", "#009e73", "#aa4499", "#c98a00", "#3ba3d9", "#882255", "#6b6b6b"));

    static final Palette DARK = new Palette(
            List.of("#4da3ff", "#ff8a4c", "#2fc99a", "#e07fc0", "#f0c040", "#8fd3ff", "#d9668f", "#b0b0b0"));

    int size() {
        return colours.size();
    }

    /** From which on they begin again. */
    int index(int colour) {
        return colour % colours.size();
    }

    String hex(int colour) {
        return colours.get(index(colour));
    }

    Color colour(int colour) {
        return Color.decode(hex(colour));
    }
}
