// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** One JSON object, on one line. */
final class Json {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private final Map<String, @Nullable Object> members = new LinkedHashMap<>();

    /** Adds a number; what JSON has no number for is written as null. */
    Json with(String key, double value) {
        members.put(key, Double.isFinite(value) ? value : null);
        return this;
    }

    Json with(String key, long value) {
        members.put(key, value);
        return this;
    }

    Json with(String key, String value) {
        members.put(key, value);
        return this;
    }

    Json with(String key, boolean value) {
        members.put(key, value);
        return this;
    }

    Json with(String key, Json value) {
        members.put(key, value.members);
        return this;
    }

    Json with(String key, List<Json> values) {
        members.put(key, values.stream().map(value -> value.members).toList());
        return this;
    }

    /** Adds a list of numbers or texts, or of such lists. */
    Json withArray(String key, List<?> values) {
        members.put(key, values);
        return this;
    }

    /** Adds members whose values are numbers, texts and booleans. */
    Json withAll(Map<String, Object> values) {
        members.putAll(values);
        return this;
    }

    @Override
    public String toString() {
        try {
            return MAPPER.writeValueAsString(members);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot write as JSON: " + members, e);
        }
    }
}
