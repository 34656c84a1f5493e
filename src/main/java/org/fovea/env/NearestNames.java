// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** The valid names nearest to a mistyped one. */
public final class NearestNames {
    private static final int SUGGESTIONS = 3;

    private NearestNames() {}

    /** Up to three of the valid names, nearest first, by edit distance without regard to case. */
    public static List<String> of(String wrong, Collection<String> valid) {
        String lower = wrong.toLowerCase(Locale.ROOT);
        return valid.stream()
                .sorted(Comparator.comparingInt((String name) -> distance(lower, name.toLowerCase(Locale.ROOT)))
                        .thenComparing(Comparator.naturalOrder()))
                .limit(SUGGESTIONS)
                .toList();
    }

    /**
     * Least number of insertions, deletions, substitutions and swaps of neighbours from one to the other (optimal string
     * alignment).
     */
    private static int distance(String from, String to) {
        int[][] cost = new int[from.length() + 1][to.length() + 1];
        for (int i = 0; i <= from.length(); i++) {
            for (int j = 0; j <= to.length(); j++) {
                if (i == 0 || j == 0) {
                    cost[i][j] = i + j;
                    continue;
                }
                int substitution = from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1;
                int least = Math.min(cost[i - 1][j - 1] + substitution, Math.min(cost[i - 1][j], cost[i][j - 1]) + 1);
                boolean swapped = i > 1
                        && j > 1
                        && from.charAt(i - 1) == to.charAt(j - 2)
                        && from.charAt(i - 2) == to.charAt(j - 1);
                cost[i][j] = swapped ? Math.min(least, cost[i - 2][j - 2] + 1) : least;
            }
        }
        return cost[from.length()][to.length()];
    }
}
