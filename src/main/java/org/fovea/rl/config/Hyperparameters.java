// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.fovea.env.UnknownNameException;

/**
 * Reads and replaces the components of a configuration record by their names in snake case. Components that are records
 * stand for their own components.
 */
public final class Hyperparameters {
    private Hyperparameters() {}

    /** Throws an {@link IllegalArgumentException} that names the hyper-parameter if {@code holds} is false. */
    public static void require(boolean holds, String name, Number value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException("hyper-parameter " + name + " must be " + expected + ", got " + value);
        }
    }

    public static Map<String, String> read(Record config) {
        Map<String, String> values = new LinkedHashMap<>();
        for (RecordComponent component : config.getClass().getRecordComponents()) {
            Object value = valueOf(config, component);
            if (value instanceof Record group) {
                values.putAll(read(group));
            } else {
                values.put(snakeCase(component.getName()), text(value));
            }
        }
        return values;
    }

    public static <R extends Record> R replace(R config, Map<String, String> settings) {
        Set<String> names = read(config).keySet();
        for (String name : settings.keySet()) {
            if (!names.contains(name)) {
                throw new UnknownNameException("hyper-parameter", name, names);
            }
        }
        return replaceKnown(config, settings);
    }

    private static <R extends Record> R replaceKnown(R config, Map<String, String> settings) {
        @SuppressWarnings("unchecked")
        Class<R> type = (Class<R>) config.getClass();
        List<Class<?>> types = new ArrayList<>();
        List<Object> values = new ArrayList<>();
        for (RecordComponent component : type.getRecordComponents()) {
            Object value = valueOf(config, component);
            String name = snakeCase(component.getName());
            String text = settings.get(name);
            if (value instanceof Record group) {
                value = replaceKnown(group, settings);
            } else if (text != null) {
                value = parse(name, text, component.getType());
            }
            types.add(component.getType());
            values.add(value);
        }
        return construct(type, types, values);
    }

    private static <R extends Record> R construct(Class<R> type, List<Class<?>> types, List<Object> values) {
        try {
            Constructor<R> constructor = type.getDeclaredConstructor(types.toArray(Class<?>[]::new));
            return constructor.newInstance(values.toArray());
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof IllegalArgumentException outOfRange) {
                throw outOfRange;
            }
            throw new IllegalStateException("cannot construct " + type.getName(), e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot construct " + type.getName(), e);
        }
    }

    private static Object valueOf(Record config, RecordComponent component) {
        try {
            return component.getAccessor().invoke(config);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("cannot read " + component, e);
        }
    }

    private static Object parse(String name, String text, Class<?> type) {
        try {
            if (type == int.class) {
                return Integer.valueOf(text);
            }
            if (type == float.class) {
                return Float.valueOf(text);
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("hyper-parameter " + name + " must be "
                    + (type == int.class ? "a whole number" : "a number") + ", got '" + text + "'");
        }
        if (type.isEnum()) {
            return parseConstant(name, text, type);
        }
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default ->
                throw new IllegalArgumentException(
                        "hyper-parameter " + name + " must be true or false, got '" + text + "'");
        };
    }

    private static Object parseConstant(String name, String text, Class<?> type) {
        List<String> valid = new ArrayList<>();
        for (Object constant : type.getEnumConstants()) {
            if (text(constant).equals(text.toLowerCase(Locale.ROOT))) {
                return constant;
            }
            valid.add(text(constant));
        }
        throw new IllegalArgumentException(
                "hyper-parameter " + name + " must be one of " + String.join(", ", valid) + ", got '" + text + "'");
    }

    private static String text(Object value) {
        return value instanceof Enum<?> constant ? constant.name().toLowerCase(Locale.ROOT) : String.valueOf(value);
    }

    private static String snakeCase(String camelCase) {
        return camelCase.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }
}
