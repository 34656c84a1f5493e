// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * Environments that differ in whole-numbered parameters, written after the name: {@code MemoryChain-v0:length=7,bits=2}.
 *
 * @param defaults the member whose parameters have their default values
 * @param members by the values of their parameters in their order
 */
public record EnvironmentFamily(
        EnvironmentSpec defaults, List<Parameter> parameters, Function<int[], EnvironmentSpec> members) {

    /** A parameter and the values it may have, both ends included. */
    public record Parameter(String name, int defaultValue, int min, int max) {}

    /** A family with one member. */
    public static EnvironmentFamily of(EnvironmentSpec spec) {
        return new EnvironmentFamily(spec, List.of(), values -> spec);
    }

    /** A family with parameters. */
    public static EnvironmentFamily of(List<Parameter> parameters, Function<int[], EnvironmentSpec> members) {
        return new EnvironmentFamily(members.apply(defaultValues(parameters)), parameters, members);
    }

    private static int[] defaultValues(List<Parameter> parameters) {
        return parameters.stream().mapToInt(Parameter::defaultValue).toArray();
    }

    private List<String> names() {
        return parameters.stream().map(Parameter::name).toList();
    }

    /**
     * The member with these parameters. Its name has those that are not the default, in their order.
     *
     * @param arguments {@code key=value,key2=value2}
     */
    EnvironmentSpec with(String arguments) {
        String fullName = defaults.name() + ":" + arguments;
        if (parameters.isEmpty()) {
            throw new IllegalArgumentException(
                    "environment '" + fullName + "': " + defaults.name() + " has no parameters");
        }
        int[] values = defaultValues(parameters);
        Set<String> given = new HashSet<>();
        for (String argument : arguments.split(",", -1)) {
            String[] pair = argument.split("=", -1);
            if (pair.length != 2) {
                throw new IllegalArgumentException("environment '" + fullName + "': '" + argument
                        + "' is not a parameter, expected key=value with a key of " + names());
            }
            int index = names().indexOf(pair[0]);
            if (index < 0) {
                throw new UnknownNameException("parameter of " + defaults.name(), pair[0], names());
            }
            if (!given.add(pair[0])) {
                throw new IllegalArgumentException("environment '" + fullName + "': " + pair[0] + " is given twice");
            }
            values[index] = parse(parameters.get(index), pair[1]);
        }
        return members.apply(values).withName(name(values));
    }

    private String name(int[] values) {
        List<String> others = new ArrayList<>();
        for (int i = 0; i < values.length; i++) {
            Parameter parameter = parameters.get(i);
            if (values[i] != parameter.defaultValue()) {
                others.add(parameter.name() + "=" + values[i]);
            }
        }
        return defaults.name() + (others.isEmpty() ? "" : ":" + String.join(",", others));
    }

    private int parse(Parameter parameter, String text) {
        String problem = defaults.name() + ": " + parameter.name() + " must be a whole number from " + parameter.min()
                + " to " + parameter.max() + ", not '" + text + "'";
        int value;
        try {
            value = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(problem, e);
        }
        if (value < parameter.min() || value > parameter.max()) {
            throw new IllegalArgumentException(problem);
        }
        return value;
    }
}
