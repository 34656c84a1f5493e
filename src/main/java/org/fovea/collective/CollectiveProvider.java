// SPDX-License-Identifier: Apache-2.0
package org.fovea.collective;

import org.fovea.backend.Backend;

/**
 * A way between devices that is faster than connections of the host, listed as a service. It is chosen by {@link
 * RankSettings#collective}: by its name, or by {@code auto} where it {@linkplain #suits suits}, each rank having one member.
 */
public interface CollectiveProvider {

    /** Short lower-case name. */
    String name();

    /** Whether {@code auto} should try it on such a device. Quick, throws nothing. */
    boolean suits(Backend backend);

    /**
     * What exchanges arrays of the device; called by all members.
     *
     * @param host exchanges all else, and finds out who has failed; from now on it belongs to what is returned, which closes it
     * @throws org.fovea.backend.BackendUnavailableException if it is not available here; the message says why and names what is missing.
     *     {@code host} is left as it was
     */
    Collective open(Backend backend, RankSettings settings, Collective host);
}
