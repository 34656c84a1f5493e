// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

/**
 * How long ranks wait for each other.
 *
 * @param meetingMillis for all to come, since a rank was started
 * @param silenceMillis for a sign of life of one that has come; each gives several in that time
 */
public record Patience(int meetingMillis, int silenceMillis) {
    /** A minute, in which machines may start; and five seconds, so that all have ended after ten. */
    public static final Patience DEFAULT = new Patience(60_000, 5_000);

    private static final int SIGNS = 6;

    /** Time between signs of life. */
    int beatMillis() {
        return Math.max(1, silenceMillis / SIGNS);
    }
}
