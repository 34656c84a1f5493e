// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.Arrays;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Activation;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** A dense row-major array with a shape that lives on a tape: what a {@link Tensor} is, apart from its operations. */
public abstract sealed class TapedArray permits Tensor {
    private static final int CONSTANT = -1;

    private final Tape tape;
    private final DeviceArray array;
    private final int[] shape;
    private final @Nullable Parameter parameter;
    private int id = CONSTANT;
    private @Nullable Activated activated;

    TapedArray(Tape tape, DeviceArray array, int[] shape, @Nullable Parameter parameter) {
        this.tape = tape;
        this.array = array;
        this.shape = shape;
        this.parameter = parameter;
    }

    /** Sizes of the axes. */
    public int[] shape() {
        return shape.clone();
    }

    /** Number of axes. */
    public int rank() {
        return shape.length;
    }

    /** Size of an axis. */
    public int size(int axis) {
        return shape[Shapes.axis("size", shape, axis)];
    }

    /** Number of elements. */
    public long length() {
        return array.length();
    }

    /** Type of the elements. */
    public DType dtype() {
        return array.dtype();
    }

    /** The tape it belongs to. */
    public Tape tape() {
        return tape;
    }

    /**
     * The memory, row-major.
     *
     * @throws IllegalStateException after the tape was closed
     */
    public DeviceArray array() {
        tape.requireOpen();
        return array;
    }

    /** Whether gradients flow to it. */
    public boolean isDifferentiable() {
        return id != CONSTANT;
    }

    /** The only element. Waits for the device. */
    public float item() {
        if (length() != 1) {
            throw new ShapeException("item", "needs one element, got " + Shapes.text(shape));
        }
        return toFloats()[0];
    }

    /** The values on the host. Waits for the device. */
    public float[] toFloats() {
        float[] values = new float[Math.toIntExact(length())];
        backend().memory().download(array(), values, 0);
        return values;
    }

    /** The values on the host. Waits for the device. */
    public double[] toDoubles() {
        double[] values = new double[Math.toIntExact(length())];
        backend().memory().download(array(), values, 0);
        return values;
    }

    /** The values of an I32 tensor on the host. Waits for the device. */
    public int[] toInts() {
        int[] values = new int[Math.toIntExact(length())];
        backend().memory().download(array(), values, 0);
        return values;
    }

    // ---- for the operations

    /**
     * How a tensor came about whose elements are a function of others.
     *
     * @param sums what it was applied to: a tensor that has gradients, but whose elements were not kept
     */
    record Activated(Activation function, Tensor sums) {}

    /** Set where it is the output of an activation. */
    @Nullable
    Activated activated() {
        return activated;
    }

    void setActivated(Activated how) {
        activated = how;
    }

    /** The shape itself, not to be changed. */
    int[] sizes() {
        return shape;
    }

    int id() {
        return id;
    }

    void makeDifferentiable(int newId) {
        if (isDifferentiable()) {
            throw new IllegalStateException(this + " was recorded before");
        }
        id = newId;
    }

    @Nullable
    Parameter parameter() {
        return parameter;
    }

    void requireTape(Tape expected) {
        if (tape != expected) {
            throw new IllegalArgumentException(this + " belongs to another tape");
        }
    }

    void requireShape(String operation, Tensor other) {
        if (!Arrays.equals(shape, other.sizes())) {
            throw new ShapeException(
                    operation, Shapes.text(other.sizes()) + " where " + Shapes.text(shape) + " is expected");
        }
    }

    private Backend backend() {
        return tape.backend();
    }

    @Override
    public String toString() {
        return (parameter == null ? "tensor" : parameter.name())
                + Shapes.text(shape)
                + (dtype() == DType.I32 ? " I32" : "");
    }
}
