// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend;

import java.util.List;

/** The way {@link Backends} finds an implementation: one provider per kind of device, listed as a service. */
public interface BackendProvider {

    /** Name of the backends it makes. */
    String name();

    /** Order of preference for {@code auto}: the provider with the highest that opens wins. */
    int priority();

    /**
     * Makes a backend. Where none is available this says so quickly, and leaves nothing behind.
     *
     * @throws BackendUnavailableException if none can be made on this machine with these settings
     */
    Backend open(BackendSettings settings);

    /**
     * What this machine has of all that these backends need, each thing that is missing with what to do about it. Opens
     * nothing, throws nothing.
     */
    default List<Diagnostic> examine() {
        return List.of();
    }
}
