// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/** Units cut into consecutive parts that differ by at most one unit in size. */
public final class Partition {

    private Partition() {}

    /** The first unit of part {@code part}; with {@code part == parts}, {@code units}. */
    public static int start(int units, int part, int parts) {
        return (int) ((long) units * part / parts);
    }

    /** How many units part {@code part} has. */
    public static int size(int units, int part, int parts) {
        return start(units, part + 1, parts) - start(units, part, parts);
    }
}
