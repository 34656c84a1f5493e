// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.driver;

/**
 * A run of device memory of the {@link DevicePool}. An array is alive while its generation is the block's. A block of the
 * arena is for captured steps alone.
 */
final class DeviceBlock {
    final DevicePointer pointer;
    final long size;
    long generation;
    boolean inArena;
    long liveBytes;

    DeviceBlock(DevicePointer pointer, long size) {
        this.pointer = pointer;
        this.size = size;
    }
}
