// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import org.jspecify.annotations.Nullable;

/** Members of a run cannot find each other, do not fit together, or one of them has failed or gone; the message names it. */
public class CollectiveException extends RuntimeException {
    private static final long serialVersionUID = 1;

    public CollectiveException(String message) {
        super(message);
    }

    public CollectiveException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
