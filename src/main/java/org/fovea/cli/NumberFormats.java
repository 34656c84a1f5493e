// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;

/** Formats of printed numbers. */
final class NumberFormats {
    private NumberFormats() {}

    /** A return: two decimals, {@code -} before there is one. */
    static String score(double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%.2f", value);
    }

    /** A whole number with thousands separated, {@code -} where it was not measured. */
    static String count(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%,.0f", value) : "-";
    }

    /** Seconds as {@code 12s}, {@code 3m05s} or {@code 2h07m}. */
    static String duration(double seconds) {
        if (!Double.isFinite(seconds)) {
            return "-";
        }
        long whole = Math.round(seconds);
        if (whole < 60) {
            return whole + "s";
        }
        return whole < 3600
                ? String.format(Locale.ROOT, "%dm%02ds", whole / 60, whole % 60)
                : String.format(Locale.ROOT, "%dh%02dm", whole / 3600, whole / 60 % 60);
    }
}
