// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

import org.fovea.backend.Backend;
import org.fovea.verify.Case;
import org.fovea.verify.Pair;

/** A backend and the reference, for the parts of {@link BackendContract}. */
interface ContractFixture {

    /** The backend under test and the reference; to be closed at the end of a test. */
    Pair pair();

    /** The backend under test. */
    Backend tested();

    /** Another backend of the kind under test. */
    Backend open();

    /** True of the cases of the table that are run. */
    default boolean takes(Case each) {
        return true;
    }

    /** True if an index outside a table is refused; devices need not look. */
    default boolean refusesBadIndices() {
        return true;
    }
}
