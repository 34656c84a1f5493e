// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/**
 * All parameters of a model in one flat array, so that the optimiser, checkpoints and sums over shards are each one
 * operation. Layers {@link #declare} theirs when they are constructed; then {@link #allocate} gives them values.
 *
 * <p>Each parameter starts at a multiple of {@value #ALIGNMENT} elements; the padding between them stays 0.
 */
public final class Parameters implements AutoCloseable {
    private static final int ALIGNMENT = 16;

    private final Backend backend;
    private final long seed;
    private final List<Parameter> parameters = new ArrayList<>();
    private final Set<String> names = new HashSet<>();
    private long length;
    private @Nullable DeviceArray values;

    /** An empty set. */
    public Parameters(Backend backend, long seed) {
        this.backend = backend;
        this.seed = seed;
    }

    /**
     * Adds a parameter. Its first values depend on the seed and its name alone, not on the order of declaration.
     *
     * @throws IllegalArgumentException if the name is taken
     * @throws IllegalStateException after {@link #allocate}
     */
    public Parameter declare(String name, Initializer initializer, int... shape) {
        if (values != null) {
            throw new IllegalStateException("cannot declare " + name + " after the parameters were allocated");
        }
        if (Shapes.length(shape) < 1) {
            throw new ShapeException("parameter " + name, "has no elements: " + Shapes.text(shape));
        }
        if (!names.add(name)) {
            throw new IllegalArgumentException("two parameters are called " + name);
        }
        Parameter parameter = new Parameter(this, parameters.size(), name, shape, length, initializer);
        parameters.add(parameter);
        length += (parameter.length() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return parameter;
    }

    /** Makes the flat array and fills it by the initializers. */
    public void allocate() {
        if (values != null) {
            throw new IllegalStateException("the parameters were allocated before");
        }
        DeviceArray flat = newFlatArray();
        values = flat;
        for (Parameter parameter : parameters) {
            parameter.bind(flat);
            Random random = new Random(seedOf(parameter.name()));
            backend.memory().upload(parameter.initializer().values(parameter.shape(), random), 0, parameter.value());
        }
    }

    /** The flat array with every parameter. */
    public DeviceArray values() {
        if (values == null) {
            throw new IllegalStateException("the parameters have no values yet: call allocate()");
        }
        return values;
    }

    /** A zero-filled array laid out like {@link #values}: gradients, moments. */
    public DeviceArray newFlatArray() {
        return backend.memory().allocate(backend.memory().floatType(), length);
    }

    /** Elements of the flat array, padding included. */
    public long length() {
        return length;
    }

    /** Number of learned values, without padding. */
    public long count() {
        long count = 0;
        for (Parameter parameter : parameters) {
            count += parameter.length();
        }
        return count;
    }

    /** In the order of declaration. */
    public List<Parameter> all() {
        return Collections.unmodifiableList(parameters);
    }

    /** The device they live on. */
    public Backend backend() {
        return backend;
    }

    /** The part of an array laid out like {@link #values} that belongs to {@code parameter}. */
    public DeviceArray slotIn(DeviceArray flat, Parameter parameter) {
        return flat.slice(parameter.offset(), parameter.length());
    }

    /** Gives the memory back. */
    @Override
    public void close() {
        if (values != null) {
            values.release();
            values = null;
        }
    }

    /** The seed and the name mixed: FNV-1a over the name, from the seed scrambled as in SplitMix64. */
    private long seedOf(String name) {
        long hash = (seed ^ (seed >>> 30)) * 0xBF58476D1CE4E5B9L ^ 0xCBF29CE484222325L;
        for (int i = 0; i < name.length(); i++) {
            hash = (hash ^ name.charAt(i)) * 0x100000001B3L;
        }
        return hash ^ (hash >>> 31);
    }
}
