// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The set of values that an observation or an action can take.
 *
 * <p>An observation is a vector of {@link #size} numbers, whatever the space: parts of a {@link Dict} or {@link Tuple} lie one
 * behind the other, an array row by row; {@link Schema} says where each is.
 */
public sealed interface Space {

    /**
     * One of {@code n} choices. As an observation it is given one-hot.
     *
     * @param start number of the first choice, in {@link Action#choice}
     */
    record Discrete(int n, int start) implements Space {
        /** @throws IllegalArgumentException if there is nothing to choose */
        public Discrete {
            if (n < 1) {
                throw new IllegalArgumentException("a discrete space needs at least 1 choice, not " + n);
            }
        }

        /** One of {@code n} choices, numbered from 0. */
        public Discrete(int n) {
            this(n, 0);
        }

        @Override
        public int size() {
            return n;
        }

        @Override
        public String toString() {
            return start == 0 ? "Discrete[n=" + n + "]" : "Discrete[n=" + n + ", start=" + start + "]";
        }
    }

    /**
     * Several choices at once, element i one of {@code n[i]}, numbered from 0. As an observation it is given one-hot, one choice
     * behind the other.
     */
    record MultiDiscrete(int... n) implements Space {
        /** @throws IllegalArgumentException if there is nothing to choose in some element, or no element */
        public MultiDiscrete {
            n = n.clone();
            if (n.length == 0) {
                throw new IllegalArgumentException("a multi-discrete space needs at least 1 element");
            }
            for (int i = 0; i < n.length; i++) {
                if (n[i] < 1) {
                    throw new IllegalArgumentException(
                            "element " + i + " of a multi-discrete space needs at least 1 choice, not " + n[i]);
                }
            }
        }

        @Override
        public int[] n() {
            return n.clone();
        }

        @Override
        public int size() {
            return Arrays.stream(n).sum();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof MultiDiscrete multi && Arrays.equals(n, multi.n);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(n);
        }

        @Override
        public String toString() {
            return "MultiDiscrete" + Arrays.toString(n);
        }
    }

    /** {@code n} bits. As an observation each is a number, 0 or 1; as an action each is a choice of 0 or 1. */
    record MultiBinary(int n) implements Space {
        /** @throws IllegalArgumentException if there is no bit */
        public MultiBinary {
            if (n < 1) {
                throw new IllegalArgumentException("a multi-binary space needs at least 1 bit, not " + n);
            }
        }

        @Override
        public int size() {
            return n;
        }
    }

    /** Named parts, in the order of the map. */
    record Dict(Map<String, Space> parts) implements Space {
        /** @throws IllegalArgumentException if there is no part */
        public Dict {
            if (parts.isEmpty()) {
                throw new IllegalArgumentException("a dict space needs at least 1 part");
            }
            parts = Collections.unmodifiableMap(new LinkedHashMap<>(parts));
        }

        /**
         * An observation from those of the parts.
         *
         * @param values of every part, by its name
         * @throws IllegalArgumentException if a part is missing, unknown or of another size
         */
        public float[] flatten(Map<String, float[]> values) {
            for (String name : values.keySet()) {
                if (!parts.containsKey(name)) {
                    throw new IllegalArgumentException("'" + name + "' is not a part of " + parts.keySet());
                }
            }
            float[] observation = new float[size()];
            int at = 0;
            for (Map.Entry<String, Space> part : parts.entrySet()) {
                float[] value = values.get(part.getKey());
                int size = part.getValue().size();
                if (value == null || value.length != size) {
                    throw new IllegalArgumentException("part '" + part.getKey() + "' has "
                            + (value == null ? "no" : value.length) + " numbers, expected " + size);
                }
                System.arraycopy(value, 0, observation, at, size);
                at += size;
            }
            return observation;
        }

        @Override
        public int size() {
            return parts.values().stream().mapToInt(Space::size).sum();
        }

        /** The order of parts decides where numbers are, so it counts. */
        @Override
        public boolean equals(Object other) {
            return other instanceof Dict dict
                    && List.copyOf(parts.entrySet()).equals(List.copyOf(dict.parts.entrySet()));
        }

        @Override
        public int hashCode() {
            return List.copyOf(parts.entrySet()).hashCode();
        }

        @Override
        public String toString() {
            return "Dict" + parts;
        }
    }

    /** Parts, one behind the other. */
    record Tuple(List<Space> parts) implements Space {
        /** @throws IllegalArgumentException if there is no part */
        public Tuple {
            if (parts.isEmpty()) {
                throw new IllegalArgumentException("a tuple space needs at least 1 part");
            }
            parts = List.copyOf(parts);
        }

        public Tuple(Space... parts) {
            this(List.of(parts));
        }

        @Override
        public int size() {
            return parts.stream().mapToInt(Space::size).sum();
        }

        @Override
        public String toString() {
            return "Tuple" + parts;
        }
    }

    /**
     * A set of up to {@code most} things of {@code features} numbers each, in no order that means anything. An observation has
     * {@code most} rows of features, those that are there first and zeros for the rest, and behind them how many there are.
     */
    record Entities(int most, int features) implements Space {
        /** @throws IllegalArgumentException if there can be no entity, or it has no feature */
        public Entities {
            if (most < 1 || features < 1) {
                throw new IllegalArgumentException(
                        "entities need room for at least 1 of at least 1 feature, not " + most + " of " + features);
            }
        }

        @Override
        public int size() {
            return Math.addExact(Math.multiplyExact(most, features), 1);
        }
    }

    /**
     * One of the {@link Entities} that the observation has at {@code entities}: an action alone. Its choice is the entity's row;
     * one that isn't there is never chosen. A policy compares entities by what they are, not by their rows: in another order they
     * are chosen with the same probabilities.
     *
     * @param entities path of the entities in the observation space, see {@link Schema}; empty if that is nothing else
     * @param most entities there can be
     */
    record EntityChoice(String entities, int most) implements Space {
        /** @throws IllegalArgumentException if there can be no entity */
        public EntityChoice {
            if (most < 1) {
                throw new IllegalArgumentException("a choice of entities needs room for at least 1, not " + most);
            }
        }

        @Override
        public int size() {
            return most;
        }
    }

    /** A picture, [channels, height, width], of numbers from 0 to 255. */
    record Image(int channels, int height, int width) implements Space {
        /** @throws IllegalArgumentException if it has no pixels */
        public Image {
            if (channels < 1 || height < 1 || width < 1) {
                throw new IllegalArgumentException("an image needs at least 1 channel and 1 pixel, not [" + channels
                        + ", " + height + ", " + width + "]");
            }
        }

        @Override
        public int size() {
            return Math.multiplyExact(Math.multiplyExact(channels, height), width);
        }
    }

    /**
     * An array of numbers, each between bounds of its own. A bound may be infinite, and one of {@link Float#MAX_VALUE}
     * counts as infinite.
     *
     * <p>As an action space its bounds decide what a policy's outputs mean: for an element with two finite bounds, -1 is
     * the lower and 1 the upper one, and what is drawn outside is clipped on its way to {@code step}. So a policy explores
     * the whole of [0, 1] as it does that of [-100, 100], and {@code step} never sees a number outside. An element that
     * lacks a bound is given what was drawn, clipped to the other bound if it has that.
     *
     * @param shape lengths of the array's axes
     * @param low lower bound of each element, row by row
     * @param high upper bound of each element
     */
    record Box(int[] shape, float[] low, float[] high) implements Space {

        /** @throws IllegalArgumentException if there are no elements, or bounds are not numbers in this order */
        public Box {
            shape = shape.clone();
            if (low.length != high.length) {
                throw new IllegalArgumentException(
                        "a box has " + low.length + " lower bounds but " + high.length + " upper bounds");
            }
            if (low.length == 0) {
                throw new IllegalArgumentException("a box needs at least 1 element");
            }
            long elements = 1;
            for (int length : shape) {
                elements = Math.multiplyExact(elements, length);
            }
            if (elements != low.length) {
                throw new IllegalArgumentException("a box of shape " + Arrays.toString(shape) + " has " + elements
                        + " elements, not " + low.length);
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

        /** A vector. */
        public Box(float[] low, float[] high) {
            this(new int[] {low.length}, low, high);
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
        public int[] shape() {
            return shape.clone();
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
            return other instanceof Box box
                    && Arrays.equals(shape, box.shape)
                    && Arrays.equals(low, box.low)
                    && Arrays.equals(high, box.high);
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
            String size = shape.length == 1 ? "" + low.length : Arrays.toString(shape);
            return same
                    ? "Box[" + size + " numbers in [" + low[0] + ", " + high[0] + "]]"
                    : "Box[" + (shape.length == 1 ? "" : "shape=" + size + ", ") + "low=" + Arrays.toString(low)
                            + ", high=" + Arrays.toString(high) + "]";
        }
    }

    /** Numbers of an observation from this space. */
    int size();
}
