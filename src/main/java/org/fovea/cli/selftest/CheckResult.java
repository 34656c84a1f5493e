package org.fovea.cli.selftest;

/**
 * What came of a check.
 *
 * @param error the largest, relative to the size of what was computed; 0 where all was exact, NaN where nothing was compared
 * @param share of the allowed error that the largest was, from 0 to 1 where the check passed
 * @param message why it failed or was skipped, in one line; else empty
 */
public record CheckResult(String name, Outcome outcome, double error, double share, double seconds, String message) {

    /** How a check ended. */
    public enum Outcome {
        /** All was right. */
        PASSED,
        /** Something was wrong. */
        FAILED,
        /** The backend does not claim to be able to, or was lost before. */
        SKIPPED
    }
}
