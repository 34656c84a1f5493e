package org.fovea.backend.reference;

import org.fovea.backend.memory.DType;

/**
 * The definition of every operation of a backend: naive loops in float64. Every backend is compared with it, and
 * gradients are checked on it, where finite differences have digits to spare.
 *
 * <p>Freed memory is filled with NaN, so that a use after the end, or of an element that was never written, shows.
 */
public final class ReferenceBackend extends ReferenceRl {

    /** A device of its own. */
    public ReferenceBackend() {
        super(DType.F64, null, 0);
    }

    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "float64 reference, one thread, plain loops";
    }
}
