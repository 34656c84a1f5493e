// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;

/** The set of values that an observation or an action can take. */
public sealed interface Space {

    /** One of {@code n} choices, numbered from 0. As an observation it is given one-hot. */
    record Discrete(int n) implements Space {
        /** @throws IllegalArgumentException if there is nothing to choose */
        public Discrete {
            if (n < 1) {
                throw new IllegalArgumentException("a discrete space needs at least 1 choice, not " + n);
            }
        }

        @Override
        public int size() {
            return n;
        }
    }

    /**
     * A vector of numbers, each between bounds of its own. A bound may be infinite, and one of {@link Float#MAX_VALUE}
     * counts as infinite.
     *
     * <p>As an action space its bounds decide what a policy's outputs mean: for an element with two finite bounds, -1 is
     * the lower and 1 the upper one, and what is drawn outside is clipped on its way to {@code step}. So a policy explores
     * the whole of [0, 1] as it does that of [-100, 100], and {@code step} never sees a number outside. An element that
     * lacks a bound is given what was drawn, clipped to the other bound if it has that.
     *
     * @param low lower bound of each element
     * @param high upper bound of each element
     */
    record Box(float[] low, float[] high) implements Space {

        /** @throws IllegalArgumentException if there are no elements, or bounds are not numbers in this order */
        public Box {
            if (low.length != high.length) {
                throw new IllegalArgumentException(
                        "a box has " + low.length + " lower bounds but " + high.length + " upper bounds");
            }
            if (low.length == 0) {
                throw new IllegalArgumentException("a box needs at least 1 element");
            }
            low = unbounded(low);
            high = unbounded(high);
            for (int i = 0; i < low.length; i++) {
                boolean inOrder = low[i] <= high[i];
                if (!inOrder || low[i] == Float.POSITIVE_INFINITY || high[i] == Float.NEGATIVE_INFINITY) {
                    throw new IllegalArgumentException(
                            "element " + i + " of a box must have a lower bound of at most its" + " upper one, got ["
                                    + low[i] + ", " + high[i] + "]");
                }
            }
        }

        /** {@code size} numbers, each from {@code low} to {@code high}. */
        public Box(int size, float low, float high) {
            this(repeat(size, low), repeat(size, high));
        }

        private static float[] repeat(int size, float bound) {
            if (size < 1) {
                throw new IllegalArgumentException("a box needs at least 1 element, not " + size);
            }
            float[] bounds = new float[size];
            Arrays.fill(bounds, bound);
            return bounds;
        }

        /** A copy, with infinity in place of the largest number that isn't. */
        private static float[] unbounded(float[] bounds) {
            float[] copy = bounds.clone();
            for (int i = 0; i < copy.length; i++) {
                if (Math.abs(copy[i]) == Float.MAX_VALUE) {
                    copy[i] = Math.signum(copy[i]) * Float.POSITIVE_INFINITY;
                }
            }
            return copy;
        }

        @Override
        public int size() {
            return low.length;
        }

        @Override
        public float[] low() {
            return low.clone();
        }

        @Override
        public float[] high() {
            return high.clone();
        }

        /** Whether element {@code i} has two finite bounds. */
        public boolean isBounded(int i) {
            return Float.isFinite(low[i]) && Float.isFinite(high[i]);
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Box box && Arrays.equals(low, box.low) && Arrays.equals(high, box.high);
        }

        @Override
        public int hashCode() {
            return 31 * Arrays.hashCode(low) + Arrays.hashCode(high);
        }

        /** The bounds, once if they are those of every element. */
        @Override
        public String toString() {
            boolean same = true;
            for (int i = 1; i < low.length; i++) {
                same &= low[i] == low[0] && high[i] == high[0];
            }
            return same
                    ? "Box[" + low.length + " numbers in [" + low[0] + ", " + high[0] + "]]"
                    : "Box[low=" + Arrays.toString(low) + ", high=" + Arrays.toString(high) + "]";
        }
    }

    /** Floats that an element takes as network input or output. */
    int size();
}
