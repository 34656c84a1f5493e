// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.imitation;

import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/** Recorded episodes that can't be learned from: the message names the file, the line or array, and what was expected. */
public final class RecordingException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    RecordingException(Path file, String where, String problem) {
        super(file + (where.isEmpty() ? "" : ", " + where) + ": " + problem);
    }
}
