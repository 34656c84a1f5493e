// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.params;

import java.nio.ByteBuffer;

/**
 * Writes the one by-value struct that a kernel takes. The subclasses are generated from the {@code params.h} files under {@code kernels},
 * with a setter per field; every field must be set before each launch.
 */
public abstract class KernelParams {
    final ByteBuffer buffer;
    public final int size;
    long written;
    private final String[] fields;
    private final long all;

    KernelParams(ByteBuffer buffer, int size, String... fields) {
        this.buffer = buffer;
        this.size = size;
        this.fields = fields;
        this.all = -1L >>> (Long.SIZE - fields.length);
    }

    /** Checks that every field was set since the last launch. */
    public final void complete(String kernel) {
        if (written != all) {
            throw new IllegalStateException("launch of " + kernel + ": parameter "
                    + fields[Long.numberOfTrailingZeros(~written)] + " was not set");
        }
        written = 0;
    }

    /** For another launch right after the last one, with the same parameters. */
    public final KernelParams again() {
        written = all;
        return this;
    }
}
