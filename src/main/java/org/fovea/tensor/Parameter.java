// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/** A named part of a model that is learned; one of a set of {@link Parameters}. */
public final class Parameter {
    private final Parameters owner;
    private final int index;
    private final String name;
    private final int[] shape;
    private final long offset;
    private final Initializer initializer;
    private @Nullable DeviceArray value;

    Parameter(Parameters owner, int index, String name, int[] shape, long offset, Initializer initializer) {
        this.owner = owner;
        this.index = index;
        this.name = name;
        this.shape = shape.clone();
        this.offset = offset;
        this.initializer = initializer;
    }

    /** Name that is unique in its model, with dots between levels: {@code block0.attention.query.weight}. */
    public String name() {
        return name;
    }

    /** Sizes of the axes. */
    public int[] shape() {
        return shape.clone();
    }

    /** Number of elements. */
    public long length() {
        return Shapes.length(shape);
    }

    /**
     * The values, a part of {@link Parameters#values}.
     *
     * @throws IllegalStateException before {@link Parameters#allocate}
     */
    public DeviceArray value() {
        if (value == null) {
            throw new IllegalStateException("parameter " + name + " has no value yet: call Parameters.allocate()");
        }
        return value;
    }

    /** First element in {@link Parameters#values}, and in an array of gradients. */
    public long offset() {
        return offset;
    }

    Parameters owner() {
        return owner;
    }

    int index() {
        return index;
    }

    Initializer initializer() {
        return initializer;
    }

    void bind(DeviceArray values) {
        value = values.slice(offset, length());
    }

    @Override
    public String toString() {
        return name + Shapes.text(shape);
    }
}
