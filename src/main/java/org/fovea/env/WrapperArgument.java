// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/**
 * The parts of {@code frame_stack=4}.
 *
 * @param value empty if there is none
 */
record WrapperArgument(String name, String value) {
    static WrapperArgument of(String text) {
        int equals = text.indexOf('=');
        return equals < 0
                ? new WrapperArgument(text, "")
                : new WrapperArgument(text.substring(0, equals), text.substring(equals + 1));
    }

    /** The value, a whole number of at least 1. */
    int wholeNumber() {
        try {
            int number = Integer.parseInt(value);
            if (number >= 1) {
                return number;
            }
        } catch (NumberFormatException e) {
            throw wrong("a whole number of at least 1");
        }
        throw wrong("a whole number of at least 1");
    }

    /** The value, a finite number. */
    double number() {
        return numberAbove(Double.NEGATIVE_INFINITY);
    }

    /** The value, a finite number greater than {@code least}. */
    double numberAbove(double least) {
        String expected = least == Double.NEGATIVE_INFINITY ? "a number" : "a number greater than " + least;
        double number;
        try {
            number = Double.parseDouble(value);
        } catch (NumberFormatException e) {
            throw wrong(expected);
        }
        if (!Double.isFinite(number) || number <= least) {
            throw wrong(expected);
        }
        return number;
    }

    /** Checks that there is no value. */
    void none() {
        if (!value.isEmpty()) {
            throw new IllegalArgumentException("wrapper " + name + " has no value, but '" + value + "' was given");
        }
    }

    private IllegalArgumentException wrong(String expected) {
        return new IllegalArgumentException(
                "wrapper " + name + " needs " + expected + ", as in +" + name + "=4, not '" + value + "'");
    }
}
