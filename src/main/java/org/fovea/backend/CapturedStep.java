// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

/** Work that was recorded once to be run again and again; see {@link Backend#capture}. */
public interface CapturedStep extends AutoCloseable {

    /**
     * Runs the recorded operations, in order with what is issued before and after. It may return before they are done.
     *
     * @throws IllegalStateException if the step is closed, or if an array that it uses has ended
     */
    void replay();

    /** Gives back what the step holds. Closing twice is harmless, and so is closing after the backend. */
    @Override
    void close();
}
