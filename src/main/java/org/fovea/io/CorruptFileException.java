// SPDX-License-Identifier: Apache-2.0
package org.fovea.io;

import java.io.IOException;
import java.io.Serial;
import java.nio.file.Path;

/** A file that is not what it should be: the message names the file, the problem and, where known, the way out. */
public final class CorruptFileException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    /** With what is wrong in the file. */
    CorruptFileException(Path file, String problem) {
        super(file + " is damaged: " + problem);
    }

    /** With the exception that found it out. */
    CorruptFileException(Path file, String problem, Throwable cause) {
        super(file + " is damaged: " + problem, cause);
    }

    /** The same damage with what to do about it. */
    CorruptFileException(CorruptFileException damage, String advice) {
        super(damage.getMessage() + "; " + advice, damage);
    }
}
