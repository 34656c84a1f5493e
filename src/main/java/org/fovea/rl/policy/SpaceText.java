// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.io.JsonReader;
import org.jspecify.annotations.Nullable;

/**
 * Spaces as JSON: {@code {"type":"Box","shape":[2],"low":[-1,null],"high":[1,null]}}, null being no bound. The type is the name of a
 * class of {@link Space}, the members are those of the record.
 */
final class SpaceText {
    /** Numbers of a space that a file may describe: a hostile one would like to fill the memory with them. */
    private static final long MOST = 1 << 24;

    private SpaceText() {}

    static String write(Space space) {
        String members;
        if (space instanceof Space.Discrete discrete) {
            members = "\"n\":" + discrete.n() + ",\"start\":" + discrete.start();
        } else if (space instanceof Space.MultiDiscrete multi) {
            members = "\"n\":" + numbers(multi.n());
        } else if (space instanceof Space.MultiBinary bits) {
            members = "\"n\":" + bits.n();
        } else if (space instanceof Space.Dict dict) {
            members = dict.parts().entrySet().stream()
                    .map(part -> JsonReader.quoted(part.getKey()) + ":" + write(part.getValue()))
                    .collect(Collectors.joining(",", "\"parts\":{", "}"));
        } else if (space instanceof Space.Tuple tuple) {
            members = tuple.parts().stream().map(SpaceText::write).collect(Collectors.joining(",", "\"parts\":[", "]"));
        } else if (space instanceof Space.Entities set) {
            members = "\"most\":" + set.most() + ",\"features\":" + set.features();
        } else if (space instanceof Space.EntityChoice choice) {
            members = "\"entities\":" + JsonReader.quoted(choice.entities()) + ",\"most\":" + choice.most();
        } else if (space instanceof Space.Image image) {
            members = "\"channels\":" + image.channels() + ",\"height\":" + image.height() + ",\"width\":"
                    + image.width();
        } else if (space instanceof Space.Box box) {
            members = "\"shape\":" + numbers(box.shape()) + ",\"low\":" + bounds(box.low()) + ",\"high\":"
                    + bounds(box.high());
        } else {
            throw new IllegalStateException("a space that can't be written: " + space);
        }
        return "{\"type\":\"" + space.getClass().getSimpleName() + "\"," + members + "}";
    }

    private static String numbers(int[] numbers) {
        return Arrays.stream(numbers).mapToObj(Integer::toString).collect(Collectors.joining(",", "[", "]"));
    }

    private static String bounds(float[] bounds) {
        List<String> written = new ArrayList<>();
        for (float bound : bounds) {
            written.add(Float.isInfinite(bound) ? "null" : Float.toString(bound));
        }
        return "[" + String.join(",", written) + "]";
    }

    /**
     * The space that a text describes.
     *
     * @throws IOException if it is none
     */
    static Space read(String text) throws IOException {
        JsonReader json = new JsonReader(text);
        try {
            Space space = read(json);
            if (!json.isAtEnd()) {
                throw new IOException("something follows the space");
            }
            long numbers = 0;
            for (Schema.Leaf leaf : Schema.of(space).leaves()) {
                numbers += leaf.space().size();
            }
            if (numbers > MOST) {
                throw new IOException("it has " + numbers + " numbers, at most " + MOST + " are allowed");
            }
            return space;
        } catch (ArithmeticException e) {
            throw new IOException("an overflow: it has more numbers than can be counted", e);
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    private static Space read(JsonReader json) throws IOException {
        Members of = new Members();
        json.beginObject();
        for (String name = json.nextName(); name != null; name = json.nextName()) {
            of.read(name, json);
        }
        return switch (String.valueOf(of.texts.get("type"))) {
            case "Discrete" -> new Space.Discrete(of.number("n"), of.number("start"));
            case "MultiDiscrete" -> new Space.MultiDiscrete(of.numbers("n"));
            case "MultiBinary" -> new Space.MultiBinary(of.number("n"));
            case "Dict" -> new Space.Dict(of.parts);
            case "Tuple" -> new Space.Tuple(List.copyOf(of.parts.values()));
            case "Entities" -> new Space.Entities(of.number("most"), of.number("features"));
            case "EntityChoice" -> new Space.EntityChoice(of.text("entities"), of.number("most"));
            case "Image" -> new Space.Image(of.number("channels"), of.number("height"), of.number("width"));
            case "Box" ->
                new Space.Box(
                        of.numbers("shape"),
                        of.bounds("low", Float.NEGATIVE_INFINITY),
                        of.bounds("high", Float.POSITIVE_INFINITY));
            default -> throw new IOException("'" + of.texts.get("type") + "' is no type of space");
        };
    }

    /** The members of a space, by name. */
    private static final class Members {
        private final Map<String, String> texts = new LinkedHashMap<>();
        private final Map<String, Space> parts = new LinkedHashMap<>();
        private final Map<String, List<@Nullable String>> lists = new LinkedHashMap<>();

        void read(String name, JsonReader json) throws IOException {
            switch (json.peek()) {
                case STRING -> texts.put(name, json.string());
                case NUMBER -> texts.put(name, json.number());
                case OBJECT -> {
                    json.beginObject();
                    for (String part = json.nextName(); part != null; part = json.nextName()) {
                        parts.put(part, SpaceText.read(json));
                    }
                }
                case ARRAY -> {
                    List<@Nullable String> list = new ArrayList<>();
                    json.beginArray();
                    while (json.nextElement()) {
                        switch (json.peek()) {
                            case OBJECT -> parts.put("[" + parts.size() + "]", SpaceText.read(json));
                            case NUMBER -> list.add(json.number());
                            default -> {
                                json.skip();
                                list.add(null);
                            }
                        }
                    }
                    lists.put(name, list);
                }
                default -> throw new IOException("'" + name + "' is neither text, number, list nor object");
            }
        }

        String text(String name) throws IOException {
            String text = texts.get(name);
            if (text == null) {
                throw new IOException("a space of type " + texts.get("type") + " lacks '" + name + "'");
            }
            return text;
        }

        int number(String name) throws IOException {
            return number(name, text(name));
        }

        private List<@Nullable String> list(String name) throws IOException {
            List<@Nullable String> list = lists.get(name);
            if (list == null) {
                throw new IOException("a space of type " + texts.get("type") + " lacks the list '" + name + "'");
            }
            return list;
        }

        private static int number(String name, @Nullable String text) {
            try {
                return Integer.parseInt(String.valueOf(text));
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("'" + name + "' must be a whole number below 2^31, is " + text, e);
            }
        }

        int[] numbers(String name) throws IOException {
            return list(name).stream().mapToInt(number -> number(name, number)).toArray();
        }

        float[] bounds(String name, float none) throws IOException {
            List<@Nullable String> list = list(name);
            float[] bounds = new float[list.size()];
            for (int i = 0; i < bounds.length; i++) {
                String bound = list.get(i);
                bounds[i] = bound == null ? none : Float.parseFloat(bound);
            }
            return bounds;
        }
    }
}
