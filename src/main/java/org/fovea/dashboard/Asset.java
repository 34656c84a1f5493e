// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.io.IOException;
import java.io.InputStream;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A file of the page. Only those that are listed here can be asked for.
 *
 * @param type of its content
 */
record Asset(String type, byte[] bytes) {
    private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/";
    private static final String OWN = "/org/fovea/dashboard/";
    private static final String SCRIPT = "text/javascript; charset=utf-8";
    private static final String STYLE = "text/css; charset=utf-8";

    private static final Map<String, String[]> FILES = Map.of(
            "/", new String[] {OWN + "index.html", "text/html; charset=utf-8"},
            "/page.js", new String[] {OWN + "page.js", SCRIPT},
            "/runs.js", new String[] {OWN + "runs.js", SCRIPT},
            "/charts.js", new String[] {OWN + "charts.js", SCRIPT},
            "/episode.js", new String[] {OWN + "episode.js", SCRIPT},
            "/page.css", new String[] {OWN + "page.css", STYLE},
            "/icon.svg", new String[] {OWN + "icon.svg", "image/svg+xml"},
            "/uplot.js", new String[] {UPLOT + "dist/uPlot.iife.min.js", SCRIPT},
            "/uplot.css", new String[] {UPLOT + "dist/uPlot.min.css", STYLE},
            "/uplot-license.txt", new String[] {UPLOT + "LICENSE", "text/plain; charset=utf-8"});

    /** The file at a path, null if there is none. */
    static @Nullable Asset at(String path) throws IOException {
        String[] file = FILES.get(path);
        if (file == null) {
            return null;
        }
        try (InputStream in = Asset.class.getResourceAsStream(file[0])) {
            if (in == null) {
                throw new IOException(file[0] + " is not on the class path; the page needs it");
            }
            return new Asset(file[1], in.readAllBytes());
        }
    }
}
