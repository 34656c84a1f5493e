// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import com.sun.net.httpserver.HttpExchange;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The parameters of a request. */
record Query(Map<String, List<String>> values) {
    private static final int MOST_RUNS = 200;

    static Query of(HttpExchange exchange) {
        Map<String, List<String>> values = new LinkedHashMap<>();
        String raw = exchange.getRequestURI().getRawQuery();
        for (String pair : (raw == null ? "" : raw).split("&", -1)) {
            int at = pair.indexOf('=');
            if (at > 0) {
                values.computeIfAbsent(decoded(pair.substring(0, at)), name -> new ArrayList<>())
                        .add(decoded(pair.substring(at + 1)));
            }
        }
        return new Query(values);
    }

    private static String decoded(String text) {
        try {
            return URLDecoder.decode(text, StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return text;
        }
    }

    /** The runs that are asked about. */
    List<String> runs() throws RequestException {
        List<String> runs = values.getOrDefault("run", List.of());
        if (runs.size() > MOST_RUNS) {
            throw new RequestException(400, "at most " + MOST_RUNS + " runs are shown at once, not " + runs.size());
        }
        return runs;
    }

    String one(String name, String otherwise) {
        return values.getOrDefault(name, List.of(otherwise)).get(0);
    }

    String required(String name) throws RequestException {
        List<String> given = values.get(name);
        if (given == null) {
            throw new RequestException(400, "the request lacks '" + name + "'");
        }
        return given.get(0);
    }

    long number(String name, long otherwise, long least, long most) throws RequestException {
        String text = one(name, Long.toString(otherwise));
        try {
            long number = Long.parseLong(text);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException e) {
            // Said below.
        }
        throw new RequestException(
                400, "'" + name + "' is a whole number from " + least + " to " + most + ", not " + text);
    }
}
