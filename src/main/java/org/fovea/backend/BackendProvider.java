package org.fovea.backend;

import java.util.Optional;

/** How {@link Backends} finds an implementation: one provider per kind of device, listed as a service. */
public interface BackendProvider {

    /** Name of the backends it makes. */
    String name();

    /** Order of preference for {@code auto}: the available provider with the highest wins. */
    int priority();

    /** Why no backend can be made on this machine, in one line that says what to do; empty if one can. */
    Optional<String> unavailableBecause();

    /**
     * Makes a backend.
     *
     * @param threads worker threads on the host, 0 for one per core; changes speed, never results
     * @throws IllegalStateException if {@link #unavailableBecause} gives a reason
     */
    Backend open(int threads);
}
