// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

/** The stages of scores on their way to probabilities; see {@link AttentionSpec}. */
public enum ScoreStage {
    /** Similarities times the scale. */
    SCORES,
    /** With the bias, after the softcap. */
    SOFTCAP,
    /** With mask and ALiBi; -infinity where the query does not see the key. */
    MASKED,
    /** Probabilities, before dropout; 0 throughout for a query that sees nothing. */
    SOFTMAX
}
