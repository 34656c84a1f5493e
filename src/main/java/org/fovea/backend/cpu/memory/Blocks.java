// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.memory;

import org.fovea.backend.memory.DType;

/** Where scopes take blocks from, and give them back to. */
interface Blocks {
    /** Elements of a block for a few arrays. */
    int SMALL_BLOCK = 1 << 14;

    /** A block of at least {@code capacity} elements, with unspecified contents. */
    Block take(DType dtype, long capacity);

    void give(Block block);

    /** Elements of a block that several arrays are carved from. */
    int blockSize(DType dtype);
}
