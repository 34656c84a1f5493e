// SPDX-License-Identifier: Apache-2.0
package org.fovea.attentionfile;

import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.attention.ScoreStage;
import org.jspecify.annotations.Nullable;

/**
 * The options of a request, all but its tensors.
 *
 * @param spec all but the past keys, which the tensors tell
 * @param order highest Taylor coefficient, 0 for none
 * @param weights at which stage scores are to be written, or null for not at all
 * @param rows the queries whose scores are written, or null for all
 */
public record AttentionSettings(
        AttentionSpec spec,
        int order,
        @Nullable ScoreStage weights,
        @Nullable Rows rows) {

    /** Highest order; beyond it the ring's products, which grow with its square, are no longer practical. */
    public static final int MAX_ORDER = 64;

    /** Queries from {@code first} up to, without, {@code end}. */
    public record Rows(long first, long end) {

        /** Checks the order of the two. */
        public Rows {
            if (first < 0 || end < first) {
                throw new IllegalArgumentException(
                        "rows go from 0 or more to no less than that, not from " + first + " to " + end);
            }
        }
    }

    /** Checks the order. */
    public AttentionSettings {
        if (order < 0 || order > MAX_ORDER) {
            throw new IllegalArgumentException("the order must be from 0 to " + MAX_ORDER + ", not " + order);
        }
        if (rows != null && weights == null) {
            throw new IllegalArgumentException("rows are of the weights, which are not asked for");
        }
    }
}
