// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Formats of printed numbers. */
final class NumberFormats {
    private static final String NUMBER = "(\\d{1,9}(?:\\.\\d{1,9})?)";

    /** Minutes, or hours, minutes and seconds. */
    private static final Pattern TIME = Pattern.compile("%1$s|(?:%1$sh)?(?:%1$sm)?(?:%1$ss)?".formatted(NUMBER));

    private NumberFormats() {}

    /** A return: two decimals, {@code -} before there is one. */
    static String score(double value) {
        return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%.2f", value);
    }

    /** A whole number with thousands separated, {@code -} where it was not measured. */
    static String count(double value) {
        return Double.isFinite(value) ? String.format(Locale.ROOT, "%,.0f", value) : "-";
    }

    /**
     * The seconds of a time as people write it: minutes, or hours, minutes and seconds with their letters.
     *
     * @throws UsageException if it is none, or nothing at all
     */
    static double seconds(String option, String text) {
        Matcher matcher = TIME.matcher(text.strip().toLowerCase(Locale.ROOT));
        double seconds = 0;
        if (matcher.matches() && !text.isBlank()) {
            int[] units = {60, 3600, 60, 1};
            for (int group = 1; group <= units.length; group++) {
                seconds +=
                        matcher.group(group) == null ? 0 : Double.parseDouble(matcher.group(group)) * units[group - 1];
            }
        }
        if (seconds == 0) {
            throw new UsageException(
                    option + " needs minutes, or a time such as 90s, 10m or 1h30m, not '" + text + "'");
        }
        return seconds;
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
