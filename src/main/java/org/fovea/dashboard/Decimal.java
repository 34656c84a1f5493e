// SPDX-License-Identifier: Apache-2.0
package org.fovea.dashboard;

import java.nio.charset.StandardCharsets;

/** Numbers from text, quickly where they are short, as those of tables are. */
final class Decimal {
    private static final int MOST_DIGITS = 15;
    private static final double[] POWERS = new double[23];

    static {
        double power = 1;
        for (int i = 0; i < POWERS.length; i++) {
            POWERS[i] = power;
            power *= 10;
        }
    }

    private Decimal() {}

    /** The number in {@code [from, to)}, NaN if there is none. With so few digits one division or product rounds as it should. */
    static double parse(byte[] text, int from, int to) {
        int at = from;
        boolean negative = at < to && text[at] == '-';
        at += negative ? 1 : 0;
        long digits = 0;
        int count = 0;
        int scale = 0;
        boolean point = false;
        for (; at < to; at++) {
            byte c = text[at];
            if (c >= '0' && c <= '9') {
                digits = 10 * digits + (c - '0');
                count += digits == 0 ? 0 : 1;
                scale -= point ? 1 : 0;
                if (count > MOST_DIGITS) {
                    return slowly(text, from, to);
                }
            } else if (c == '.' && !point) {
                point = true;
            } else {
                return slowly(text, from, to);
            }
        }
        if (at == from || scale < -(POWERS.length - 1)) {
            return slowly(text, from, to);
        }
        double value = digits / POWERS[-scale];
        return negative ? -value : value;
    }

    private static double slowly(byte[] text, int from, int to) {
        try {
            return Double.parseDouble(new String(text, from, to - from, StandardCharsets.US_ASCII));
        } catch (NumberFormatException e) {
            return Double.NaN;
        }
    }
}
