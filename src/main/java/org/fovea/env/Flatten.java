// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/** Any observation as the numbers that it is made of. */
record Flatten(Space.Box space) implements Wrapper.ObservationTransform {
    Flatten(Space inner) {
        this(new Space.Box(inner.size(), Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY));
    }

    @Override
    public void apply(float[] observations, int from, float[] results, int to) {
        System.arraycopy(observations, from, results, to, space.size());
    }
}
