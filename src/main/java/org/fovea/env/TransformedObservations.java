// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.function.Function;

/** Changes observations. */
final class TransformedObservations extends ReshapedBatch {
    /** {@link Wrapper#observations}. */
    record Of(String text, Function<Space, ObservationTransform> transform) implements Wrapper {
        @Override
        public boolean keepsReturns() {
            return true;
        }

        @Override
        public Space observationSpace(Space inner) {
            return transform.apply(inner).space();
        }

        @Override
        public VectorEnvironment wrap(VectorEnvironment inner) {
            return new TransformedObservations(inner, transform.apply(inner.observationSpace()));
        }
    }

    private final Wrapper.ObservationTransform transform;

    private TransformedObservations(VectorEnvironment inner, Wrapper.ObservationTransform transform) {
        super(inner, transform.space());
        this.transform = transform;
    }

    @Override
    void begin(int i, float[] seen, float[] shown) {
        goOn(i, seen, shown);
    }

    @Override
    void goOn(int i, float[] seen, float[] shown) {
        transform.apply(seen, i * innerSize, shown, i * size);
    }
}
