// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.memory;

/** A copy of an array on the host that is brought up to date while the host goes on; see {@link Memory#readback}. */
public interface Readback extends AutoCloseable {

    /** Begins to copy what the array holds once everything that was issued before is done. Replaces the copy before. */
    void start();

    /** Whether the copy that was begun last is there, so that {@link #values} need not wait. */
    boolean isReady();

    /** Waits for the copy that was begun last, but for nothing that was issued after it. Valid until the next one begins. */
    float[] values();

    /** Gives back what it holds, not the array. Closing twice is harmless. */
    @Override
    void close();
}
