// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.nio.file.Path;

/** Another trainer works in the run directory. */
public final class RunInUseException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** An exception that names the directory. */
    RunInUseException(Path runDirectory) {
        super("another process is training in " + runDirectory + "; wait for it, stop it, or choose another --out");
    }
}
