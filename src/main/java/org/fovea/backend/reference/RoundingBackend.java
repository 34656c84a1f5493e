package org.fovea.backend.reference;

import org.fovea.backend.memory.DType;

/**
 * How far rounding may put off an attention that is computed by the textbook: every result of an attention is a bound of the
 * result's error, in units of rounding of the arithmetic, but for functions to first order.
 */
public final class RoundingBackend extends ReferenceRl {

    /** @param storage type of query, key, value, output, probabilities and gradients of scores, where they are factors */
    public RoundingBackend(DType storage) {
        this(storage, 0);
    }

    /** @param factors what the factors of each product are off by together, in units of rounding of the arithmetic */
    public RoundingBackend(DType storage, double factors) {
        super(DType.F64, storage, factors);
    }

    @Override
    public String name() {
        return "rounding";
    }

    @Override
    public String description() {
        return "bounds of rounding errors, by float64 reference";
    }
}
