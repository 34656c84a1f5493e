package org.fovea.backend.contract;

import org.fovea.backend.Backend;
import org.fovea.verify.Pair;

/** What the parts of {@link BackendContract} share. */
interface ContractFixture {

    /** Lengths around the widths of vectors, warps and tiles. */
    int[] AWKWARD = {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207};

    /** The backend under test beside the reference; to be closed at the end of a test. */
    Pair pair();

    /** The backend under test. */
    Backend tested();

    /** Another backend of the kind under test. */
    Backend open();

    /** Whether an index outside a table is refused; devices need not look. */
    default boolean refusesBadIndices() {
        return true;
    }

    /** Whether the device is simulated, so that what takes no time on a real one may take a minute. */
    default boolean isSimulated() {
        return false;
    }
}
