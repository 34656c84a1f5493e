// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.Serial;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/** A name that nothing is called by; the message offers the nearest valid ones. */
public final class UnknownNameException extends IllegalArgumentException {
    @Serial
    private static final long serialVersionUID = 1;

    /**
     * @param kind what was looked for, such as "environment"
     * @param name that was not found
     * @param valid every name that would have been
     */
    public UnknownNameException(String kind, String name, Collection<String> valid) {
        super(message(kind, name, NearestNames.of(name, valid)));
    }

    /** The same with advice, which goes on from what the message says. */
    public UnknownNameException(UnknownNameException unknown, String advice) {
        super(unknown.getMessage() + advice, unknown);
    }

    /**
     * The value that prints as a name.
     *
     * @throws UnknownNameException if none does
     */
    public static <T> T find(String kind, String name, T[] values) {
        for (T value : values) {
            if (value.toString().equals(name)) {
                return value;
            }
        }
        throw new UnknownNameException(
                kind, name, Arrays.stream(values).map(Object::toString).toList());
    }

    private static String message(String kind, String name, List<String> nearest) {
        String problem = "unknown " + kind + " '" + name + "'";
        return nearest.isEmpty() ? problem : problem + "; nearest: " + String.join(", ", nearest);
    }
}
