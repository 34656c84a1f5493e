// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.ArrayList;
import java.util.Collection;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.memory.ShapeException;

/**
 * One differentiation: records operations on its tensors and owns the memory of everything made on it, which returns to
 * the backend's pool when the tape is closed. A tape is used by the thread that opened it.
 *
 * <pre>{@code
 * try (Tape tape = Tape.recording(backend)) {
 *     Tensor x = tape.variable(array, 5, 3);
 *     Tensor loss = x.tanh().square().sum();
 *     Tensor gradient = tape.gradient(loss, x);
 * }
 * }</pre>
 */
public final class Tape implements AutoCloseable {
    private final Backend backend;
    private final Scope scope;
    private final boolean differentiates;
    private boolean recording;
    private boolean closed;
    private int differentiableCount;
    private final ArrayList<Node> nodes = new ArrayList<>();
    private final IdentityHashMap<Parameter, Tensor> used = new IdentityHashMap<>();

    private Tape(Backend backend, boolean recording) {
        this.backend = backend;
        this.scope = backend.memory().openScope();
        this.differentiates = recording;
        this.recording = recording;
    }

    /** A tape for training. */
    public static Tape recording(Backend backend) {
        return new Tape(backend, true);
    }

    /** A tape that records nothing and cannot be differentiated. */
    public static Tape inference(Backend backend) {
        return new Tape(backend, false);
    }

    /** The device. */
    public Backend backend() {
        return backend;
    }

    // ---- tensors that are not the result of an operation

    /** A tensor around {@code array}, which is neither copied nor differentiated. Indices and segments are I32. */
    public Tensor constant(DeviceArray array, int... shape) {
        return wrap(array, shape);
    }

    /** A tensor with the given values, in the device's floating type. */
    public Tensor constant(float[] values, int... shape) {
        DeviceArray array = allocate(backend.memory().floatType(), checkedLength(values.length, shape));
        backend.memory().upload(values, 0, array);
        return wrap(array, shape);
    }

    /** A tensor with the given values, in the device's floating type. */
    public Tensor constant(double[] values, int... shape) {
        DeviceArray array = allocate(backend.memory().floatType(), checkedLength(values.length, shape));
        backend.memory().upload(values, 0, array);
        return wrap(array, shape);
    }

    /** An I32 tensor with the given values. */
    public Tensor constantInts(int[] values, int... shape) {
        DeviceArray array = allocate(DType.I32, checkedLength(values.length, shape));
        backend.memory().upload(values, 0, array);
        return wrap(array, shape);
    }

    /** A tensor around {@code array}, not copied, with respect to which gradients can be taken. */
    public Tensor variable(DeviceArray array, int... shape) {
        return leaf(wrap(array, shape));
    }

    /** A tensor with the given values with respect to which gradients can be taken. */
    public Tensor variable(double[] values, int... shape) {
        return leaf(constant(values, shape));
    }

    /** A constant of zeros. */
    public Tensor zeros(int... shape) {
        return full(0, shape);
    }

    /** A constant whose elements are all {@code value}. */
    public Tensor full(double value, int... shape) {
        Tensor tensor = result(shape);
        backend.memory().fill(tensor.array(), value);
        return tensor;
    }

    /** The parameter's value on this tape; the same tensor each time, so that its uses add up in one gradient. */
    public Tensor use(Parameter parameter) {
        Tensor tensor = used.get(parameter);
        if (tensor == null) {
            tensor = leaf(new Tensor(this, parameter.value(), parameter.shape(), parameter));
            used.put(parameter, tensor);
        }
        return tensor;
    }

    /** An array with unspecified contents that lives as long as the tape. */
    public DeviceArray allocate(DType dtype, long length) {
        requireOpen();
        return scope.allocate(dtype, length);
    }

    // ---- operations of one's own

    /** A tensor of the device's floating type with unspecified contents, for an operation to write. */
    public Tensor result(int... shape) {
        return new Tensor(this, allocate(backend.memory().floatType(), Shapes.length(shape)), shape, null);
    }

    /** Whether an operation on {@code input} must be recorded. */
    public boolean records(Tensor input) {
        return recording && input.isDifferentiable();
    }

    /** Whether an operation on the two must be recorded. */
    public boolean records(Tensor first, Tensor second) {
        return recording && (first.isDifferentiable() || second.isDifferentiable());
    }

    /** Whether an operation on any of {@code inputs} must be recorded. */
    public boolean records(Collection<Tensor> inputs) {
        if (recording) {
            for (Tensor input : inputs) {
                if (input.isDifferentiable()) {
                    return true;
                }
            }
        }
        return false;
    }

    /** Records an operation whose {@code outputs} were just made, if {@link #records} says so. */
    public void record(Collection<Tensor> inputs, Collection<Tensor> outputs, Backward backward) {
        if (records(inputs)) {
            append(new Node(inputs.toArray(new Tensor[0]), outputs.toArray(new Tensor[0]), backward));
        }
    }

    /** Records an operation with one output; the caller has asked {@link #records}. Returns the output. */
    Tensor record(Tensor output, Backward backward, Tensor... inputs) {
        append(new Node(inputs, new Tensor[] {output}, backward));
        return output;
    }

    // ---- gradients

    /**
     * Gradients of {@code outputs}, weighted and summed, with respect to {@code inputs}: the vector-Jacobian product.
     *
     * @param outputGradients the weights, one tensor shaped like each output
     * @return one tensor shaped like each input, zeros where nothing depends on it
     */
    public List<Tensor> gradients(
            List<Tensor> outputs, List<Tensor> outputGradients, List<Tensor> inputs, GradientMode mode) {
        requireDifferentiation();
        for (Tensor input : inputs) {
            if (!input.isDifferentiable()) {
                throw new IllegalArgumentException(
                        "no gradient exists with respect to the constant " + input + "; make it with Tape.variable");
            }
        }
        Gradients sweep = new Gradients(this, 0, inputs);
        run(sweep, outputs, outputGradients, mode);
        List<Tensor> gradients = new ArrayList<>(inputs.size());
        for (Tensor input : inputs) {
            Tensor gradient = sweep.ofOrNull(input);
            gradients.add(gradient == null ? zeros(input.shape()) : gradient.reshape(input.shape()));
        }
        return gradients;
    }

    /** {@link #gradients(List, List, List, GradientMode)} that are not differentiated further. */
    public List<Tensor> gradients(List<Tensor> outputs, List<Tensor> outputGradients, List<Tensor> inputs) {
        return gradients(outputs, outputGradients, inputs, GradientMode.VALUE);
    }

    /** Gradient of a scalar. */
    public Tensor gradient(Tensor scalar, Tensor input, GradientMode mode) {
        if (scalar.length() != 1) {
            throw new ShapeException("gradient", "of a tensor that is not a scalar: " + scalar);
        }
        return gradients(List.of(scalar), List.of(full(1, scalar.shape())), List.of(input), mode)
                .get(0);
    }

    /** Gradient of a scalar that is not differentiated further. */
    public Tensor gradient(Tensor scalar, Tensor input) {
        return gradient(scalar, input, GradientMode.VALUE);
    }

    /**
     * Writes the gradient of every parameter to its place in {@code flatGradients}, 0 for those that were not used. What
     * training calls: matrix gradients are computed in their places. Padding is not touched.
     *
     * @param flatGradients made by {@link Parameters#newFlatArray}
     */
    public void gradientsInto(
            List<Tensor> outputs, List<Tensor> outputGradients, Parameters parameters, DeviceArray flatGradients) {
        requireDifferentiation();
        if (flatGradients.length() != parameters.length()) {
            throw new ShapeException(
                    "gradientsInto",
                    "array of " + flatGradients.length() + " elements for parameters of " + parameters.length());
        }
        List<Tensor> inputs = new ArrayList<>(used.size());
        for (Map.Entry<Parameter, Tensor> entry : used.entrySet()) {
            if (entry.getKey().owner() == parameters) {
                inputs.add(entry.getValue());
            }
        }
        Gradients sweep = Gradients.into(this, inputs, parameters, flatGradients);
        run(sweep, outputs, outputGradients, GradientMode.VALUE);
        sweep.clearUnwritten();
    }

    /**
     * How {@code output} changes when the parameters move along {@code direction}: the Jacobian-vector product.
     *
     * <p>It takes two sweeps. The gradients of the parameters for a gradient u of the output are J^T u, linear in u; the
     * gradient of {@code (J^T u).direction} with respect to u is J direction, whatever u is.
     *
     * @param direction an array laid out like {@link Parameters#values}
     * @return shaped like the output, not differentiable
     */
    public Tensor directionalDerivative(Tensor output, Parameters parameters, DeviceArray direction) {
        requireDifferentiation();
        if (direction.length() != parameters.length()) {
            throw new ShapeException(
                    "directionalDerivative",
                    "array of " + direction.length() + " elements for parameters of " + parameters.length());
        }
        List<Tensor> inputs = new ArrayList<>(used.size());
        List<Tensor> directions = new ArrayList<>(used.size());
        for (Parameter parameter : parameters.all()) {
            Tensor input = used.get(parameter);
            if (input != null) {
                inputs.add(input);
                directions.add(constant(parameters.slotIn(direction, parameter), parameter.shape()));
            }
        }
        int start = nodes.size();
        Tensor u = leaf(zeros(output.shape()));
        List<Tensor> pulledBack = gradients(List.of(output), List.of(u), inputs, GradientMode.DIFFERENTIABLE);
        Tensor derivative = gradients(pulledBack, directions, List.of(u)).get(0);
        forgetFrom(start);
        return derivative;
    }

    private void run(Gradients sweep, List<Tensor> outputs, List<Tensor> outputGradients, GradientMode mode) {
        if (outputs.size() != outputGradients.size()) {
            throw new IllegalArgumentException(
                    outputs.size() + " outputs but " + outputGradients.size() + " output gradients");
        }
        boolean before = setRecording(mode == GradientMode.DIFFERENTIABLE);
        try {
            for (int i = 0; i < outputs.size(); i++) {
                outputs.get(i).requireShape("gradient of an output", outputGradients.get(i));
                sweep.add(outputs.get(i), outputGradients.get(i));
            }
            sweep.sweep();
        } finally {
            setRecording(before);
        }
    }

    /** Ends every tensor made on this tape. Closing twice is harmless. */
    @Override
    public void close() {
        closed = true;
        nodes.clear();
        used.clear();
        scope.close();
    }

    // ---- for the operations

    int nodeCount() {
        return nodes.size();
    }

    Node node(int index) {
        return nodes.get(index);
    }

    int differentiableCount() {
        return differentiableCount;
    }

    /** Turns recording on or off and returns how it was. */
    boolean setRecording(boolean on) {
        boolean before = recording;
        recording = on;
        return before;
    }

    /** Drops the nodes from {@code index} on. */
    void forgetFrom(int index) {
        nodes.subList(index, nodes.size()).clear();
    }

    void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the tape was closed, and with it every tensor made on it");
        }
    }

    private void requireDifferentiation() {
        requireOpen();
        if (!differentiates) {
            throw new IllegalStateException("an inference tape has no gradients: use Tape.recording");
        }
    }

    private void append(Node node) {
        for (Tensor output : node.outputs()) {
            output.makeDifferentiable(differentiableCount++);
        }
        nodes.add(node);
    }

    private Tensor leaf(Tensor tensor) {
        if (differentiates) {
            tensor.makeDifferentiable(differentiableCount++);
        }
        return tensor;
    }

    private Tensor wrap(DeviceArray array, int... shape) {
        requireOpen();
        checkedLength(array.length(), shape);
        return new Tensor(this, array, shape.clone(), null);
    }

    private static long checkedLength(long length, int... shape) {
        if (Shapes.length(shape) != length) {
            throw new ShapeException("tensor", length + " elements cannot have shape " + Shapes.text(shape));
        }
        return length;
    }
}
