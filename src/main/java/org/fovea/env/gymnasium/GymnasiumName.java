// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All that says which environment of Gymnasium is played. As text, which a run is saved with, it is {@code
 * gym:FrozenLake-v1?map_name=8x8&--env-wrapper=my_module:MyWrapper}; {@code %}, {@code &} and {@code =} within a value are {@code
 * %25}, {@code %26} and {@code %3D}.
 *
 * @param id as {@code gymnasium.make} takes it
 * @param arguments more for {@code gymnasium.make}, each a Python literal, {@code true}, {@code false}, or else a text
 * @param wrappers called with the environment, one after the other, each {@code module:name}
 * @param python command by which Python is started, null for {@value #DEFAULT_PYTHON}
 */
public record GymnasiumName(
        String id,
        Map<String, String> arguments,
        List<String> wrappers,
        @Nullable String python) {
    static final String DEFAULT_PYTHON = "python3";

    private static final String SCHEME = "gym:";
    private static final String WRAPPER = "--env-wrapper";
    private static final String PYTHON = "--python";

    /** @throws IllegalArgumentException if something is not as the parameters say */
    public GymnasiumName {
        if (id.isBlank()) {
            throw new IllegalArgumentException(SCHEME + " needs the id of an environment, as in gym:CartPole-v1");
        }
        for (String key : arguments.keySet()) {
            if (!key.matches("[\\p{L}_][\\p{L}\\p{N}_]*")) {
                throw new IllegalArgumentException(
                        "'" + key + "' is not a Python argument; --env-arg is KEY=VALUE, as in map_name=8x8");
            }
        }
        for (String wrapper : wrappers) {
            if (!wrapper.matches("[^:\\s]+:[^:\\s]+")) {
                throw new IllegalArgumentException(
                        "'" + wrapper
                                + "' is not a wrapper; --env-wrapper is MODULE:CLASS, as in gymnasium.wrappers:FlattenObservation");
            }
        }
        arguments = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(arguments));
        wrappers = List.copyOf(wrappers);
    }

    /** Whether a name is meant to be one of these. */
    public static boolean isOne(String name) {
        return name.startsWith(SCHEME);
    }

    /** From text. */
    public static GymnasiumName parse(String name) {
        int question = name.indexOf('?');
        String id = name.substring(SCHEME.length(), question < 0 ? name.length() : question);
        Map<String, String> arguments = new LinkedHashMap<>();
        List<String> wrappers = new ArrayList<>();
        String python = null;
        String query = question < 0 ? "" : name.substring(question + 1);
        for (String part : query.isEmpty() ? new String[0] : query.split("&", -1)) {
            int equals = part.indexOf('=');
            if (equals < 0) {
                throw new IllegalArgumentException("environment '" + name + "': '" + part + "' is not KEY=VALUE");
            }
            String key = part.substring(0, equals);
            String value = decoded(part.substring(equals + 1));
            if (key.equals(WRAPPER)) {
                wrappers.add(value);
            } else if (key.equals(PYTHON)) {
                python = value;
            } else if (arguments.put(key, value) != null) {
                throw new IllegalArgumentException("environment '" + name + "': " + key + " is given twice");
            }
        }
        return new GymnasiumName(id, arguments, wrappers, python);
    }

    private static String decoded(String value) {
        return URLDecoder.decode(value.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    private static String encoded(String value) {
        return value.replace("%", "%25").replace("+", "%2B").replace("&", "%26").replace("=", "%3D");
    }

    /** The same with more arguments and wrappers, and another Python unless that is null. */
    public GymnasiumName with(Map<String, String> more, List<String> moreWrappers, @Nullable String otherPython) {
        Map<String, String> allArguments = new LinkedHashMap<>(arguments);
        more.forEach((key, value) -> {
            if (allArguments.put(key, value) != null) {
                throw new IllegalArgumentException("argument " + key + " of " + SCHEME + id + " is given twice");
            }
        });
        List<String> allWrappers = new ArrayList<>(wrappers);
        allWrappers.addAll(moreWrappers);
        return new GymnasiumName(id, allArguments, allWrappers, otherPython == null ? python : otherPython);
    }

    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        arguments.forEach((key, value) -> parts.add(key + "=" + encoded(value)));
        wrappers.forEach(wrapper -> parts.add(WRAPPER + "=" + encoded(wrapper)));
        if (python != null) {
            parts.add(PYTHON + "=" + encoded(python));
        }
        return SCHEME + id + (parts.isEmpty() ? "" : "?" + String.join("&", parts));
    }
}
