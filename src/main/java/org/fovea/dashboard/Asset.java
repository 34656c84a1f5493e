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

    /** Of each path its resource and type. */
    private static final Map<String, String[]> FILES = Map.ofEntries(
            entry("/", OWN + "index.html", "text/html; charset=utf-8"),
            entry("/page.js", OWN + "page.js", SCRIPT),
            entry("/runs.js", OWN + "runs.js", SCRIPT),
            entry("/charts.js", OWN + "charts.js", SCRIPT),
            entry("/episode.js", OWN + "episode.js", SCRIPT),
            entry("/attention.js", OWN + "attention.js", SCRIPT),
            entry("/page.css", OWN + "page.css", STYLE),
            entry("/icon.svg", OWN + "icon.svg", "image/svg+xml"),
            entry("/uplot.js", UPLOT + "dist/uPlot.iife.min.js", SCRIPT),
            entry("/uplot.css", UPLOT + "dist/uPlot.min.css", STYLE),
            entry("/uplot-license.txt", UPLOT + "LICENSE", "text/plain; charset=utf-8"));

    private static Map.Entry<String, String[]> entry(String path, String resource, String type) {
        return Map.entry(path, new String[] {resource, type});
    }

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
