// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.env.Space;

/** A space as JSON, by which Java and Python tell each other of theirs. */
final class SpaceDescription {
    private SpaceDescription() {}

    /** From what Python wrote. */
    static Space read(JsonNode json) {
        return switch (json.path("type").asText()) {
            case "Discrete" ->
                new Space.Discrete(json.path("n").asInt(), json.path("start").asInt());
            case "MultiDiscrete" -> new Space.MultiDiscrete(ints(json.path("n")));
            case "MultiBinary" -> new Space.MultiBinary(json.path("n").asInt());
            case "Image" -> {
                int[] shape = ints(json.path("shape"));
                yield new Space.Image(shape[0], shape[1], shape[2]);
            }
            case "Box" -> new Space.Box(ints(json.path("shape")), floats(json.path("low")), floats(json.path("high")));
            case "Dict" -> {
                Map<String, Space> named = new LinkedHashMap<>();
                for (int i = 0; i < json.path("names").size(); i++) {
                    named.put(
                            json.path("names").get(i).asText(),
                            read(json.path("parts").get(i)));
                }
                yield new Space.Dict(named);
            }
            case "Tuple" -> {
                List<Space> parts = new ArrayList<>();
                json.path("parts").forEach(part -> parts.add(read(part)));
                yield new Space.Tuple(parts);
            }
            default -> throw new IllegalArgumentException("unknown space " + json);
        };
    }

    private static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).asInt();
        }
        return values;
    }

    private static float[] floats(JsonNode array) {
        float[] values = new float[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) array.get(i).asDouble();
        }
        return values;
    }

    /** For Python. Entities are a box of their rows and their number. */
    static ObjectNode write(Space space) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        if (space instanceof Space.Discrete discrete) {
            return json.put("type", "Discrete").put("n", discrete.n()).put("start", discrete.start());
        }
        if (space instanceof Space.MultiDiscrete multi) {
            json.put("type", "MultiDiscrete").set("n", array(multi.n()));
            return json;
        }
        if (space instanceof Space.MultiBinary bits) {
            return json.put("type", "MultiBinary").put("n", bits.n());
        }
        if (space instanceof Space.Image image) {
            json.put("type", "Image").set("shape", array(image.channels(), image.height(), image.width()));
            return json;
        }
        if (space instanceof Space.Entities entities) {
            return write(new Space.Box(entities.size(), Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY));
        }
        if (space instanceof Space.Box box) {
            json.put("type", "Box").set("shape", array(box.shape()));
            json.set("low", array(box.low()));
            json.set("high", array(box.high()));
            return json;
        }
        ArrayNode parts = JsonNodeFactory.instance.arrayNode();
        if (space instanceof Space.Dict dict) {
            ArrayNode names = JsonNodeFactory.instance.arrayNode();
            dict.parts().forEach((name, part) -> {
                names.add(name);
                parts.add(write(part));
            });
            json.put("type", "Dict").set("names", names);
        } else {
            ((Space.Tuple) space).parts().forEach(part -> parts.add(write(part)));
            json.put("type", "Tuple");
        }
        json.set("parts", parts);
        return json;
    }

    private static ArrayNode array(int... values) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (int value : values) {
            array.add(value);
        }
        return array;
    }

    private static ArrayNode array(float... values) {
        ArrayNode array = JsonNodeFactory.instance.arrayNode();
        for (float value : values) {
            array.add(value);
        }
        return array;
    }
}
