// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;

/** Something whose whole state can be written and read back, so that it goes on as if nothing had happened. */
public interface SavesState {

    /** Writes everything the future depends on. */
    void saveState(DataOutput out) throws IOException;

    /** Restores what {@link #saveState} wrote. */
    void restoreState(DataInput in) throws IOException;
}
