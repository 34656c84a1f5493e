package org.fovea.env;

/** What an observation or an action may be. */
public sealed interface Space {

    /** One of {@code n} choices, numbered from 0. As an observation it is given one-hot. */
    record Discrete(int n) implements Space {
        @Override
        public int size() {
            return n;
        }
    }

    /** A vector of {@code size} numbers, each from {@code low} to {@code high} (which may be infinite). */
    record Box(int size, float low, float high) implements Space {}

    /** Floats that an element takes as network input or output. */
    int size();
}
