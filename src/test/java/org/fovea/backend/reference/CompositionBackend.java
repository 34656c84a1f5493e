package org.fovea.backend.reference;

import org.fovea.backend.DType;

/**
 * The primitives of the reference with none of its fused members: what a new backend is on its first day. In F32 every
 * element that is stored is rounded, as on a device.
 */
public final class CompositionBackend extends ReferencePrimitives {

    /** A device that computes in {@code floatType}. */
    public CompositionBackend(DType floatType) {
        super(floatType);
    }

    @Override
    public String name() {
        return "composition";
    }

    @Override
    public String description() {
        return "default compositions over reference primitives in " + floatType();
    }
}
