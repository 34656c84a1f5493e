// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli.selftest;

/**
 * The outcome of a check: of all cases of an operation, or of something beyond operations.
 *
 * @param name of the operation, such as {@code math.gemm}, or of the check beyond operations
 * @param isOperation whether it is one
 * @param passed cases that were right, as {@code failed} and {@code skipped} are of those that were wrong or are not claimed
 * @param error the largest, relative to the size of what was computed; 0 where all was exact, NaN where nothing was compared
 * @param share of the allowed error that the largest was, from 0 to 1 where the check passed
 * @param message why a case failed or was skipped, in one line; else empty
 * @param lostDevice whether nothing can be computed any more
 */
public record CheckResult(
        String name,
        boolean isOperation,
        Outcome outcome,
        int passed,
        int failed,
        int skipped,
        double error,
        double share,
        double seconds,
        String message,
        boolean lostDevice) {

    /** The end of a check. */
    public enum Outcome {
        /** All was right. */
        PASSED,
        /** Something was wrong. */
        FAILED,
        /** The backend does not claim to be able to, or was lost before. */
        SKIPPED
    }
}
