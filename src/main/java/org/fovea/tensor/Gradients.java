// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import java.util.function.Supplier;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * One sweep backwards over a part of a tape: which tensors' gradients are wanted, and what has been gathered of them. A
 * {@link Backward} reads its outputs' gradients here and adds to its inputs'.
 */
public final class Gradients {
    private final Tape tape;
    private final int firstNode;
    private final int lastNode;
    private final boolean[] wanted;
    private final @Nullable Tensor[] gathered;

    /** Whether what was gathered was made for that alone. */
    private final boolean[] owned;

    /** How many operations that are yet to be gone through may add to a tensor's gradient. */
    private final int[] uses;

    private final @Nullable Target target;

    /** Where the gradients of parameters go when they are not made into tensors. */
    private record Target(Parameters parameters, DeviceArray gradients, boolean[] written) {
        DeviceArray slot(Parameter parameter) {
            return parameters.slotIn(gradients, parameter);
        }
    }

    /** A sweep over the nodes from {@code firstNode} on for the gradients of {@code inputs}. */
    Gradients(Tape tape, int firstNode, Iterable<Tensor> inputs) {
        this(tape, firstNode, inputs, null);
    }

    private Gradients(Tape tape, int firstNode, Iterable<Tensor> inputs, @Nullable Target target) {
        this.tape = tape;
        this.firstNode = firstNode;
        this.lastNode = tape.nodeCount();
        this.wanted = new boolean[tape.differentiableCount()];
        this.gathered = new Tensor[wanted.length];
        this.owned = new boolean[wanted.length];
        this.uses = new int[wanted.length];
        this.target = target;
        for (Tensor input : inputs) {
            if (input.isDifferentiable()) {
                wanted[input.id()] = true;
            }
        }
        for (int i = firstNode; i < lastNode; i++) {
            markDescendants(tape.node(i));
            count(tape.node(i), 1);
        }
    }

    /** A sweep over the whole tape that writes the gradients of {@code used} parameters to their places. */
    static Gradients into(Tape tape, Iterable<Tensor> used, Parameters parameters, DeviceArray gradients) {
        return new Gradients(
                tape,
                0,
                used,
                new Target(parameters, gradients, new boolean[parameters.all().size()]));
    }

    private void markDescendants(Node node) {
        for (Tensor input : node.inputs()) {
            if (wants(input)) {
                for (Tensor output : node.outputs()) {
                    wanted[output.id()] = true;
                }
                return;
            }
        }
    }

    private void count(Node node, int change) {
        for (Tensor input : node.inputs()) {
            if (wants(input)) {
                uses[input.id()] += change;
            }
        }
    }

    /** Whether the gradient of {@code x} is of use; if not, it need not be computed. */
    public boolean wants(Tensor x) {
        return x.isDifferentiable() && x.id() < wanted.length && wanted[x.id()];
    }

    /**
     * Gradient of an output.
     *
     * @throws IllegalStateException if it has none: only an operation with several outputs may find that
     */
    public Tensor of(Tensor output) {
        Tensor gradient = ofOrNull(output);
        if (gradient == null) {
            throw new IllegalStateException("no gradient reached " + output);
        }
        return gradient;
    }

    /** Gradient of an output, or null where it is zero. */
    public @Nullable Tensor ofOrNull(Tensor output) {
        return wants(output) ? gathered[output.id()] : null;
    }

    /** Adds {@code gradient}, of the same shape as {@code x}, to the gradient of {@code x} if that is wanted. */
    public void add(Tensor x, Tensor gradient) {
        if (!wants(x)) {
            return;
        }
        if (gradient.length() != x.length()) {
            throw new IllegalStateException("gradient " + gradient + " does not fit " + x);
        }
        Parameter parameter = x.parameter();
        if (target != null && parameter != null) {
            addToSlot(target, parameter, gradient.array());
            return;
        }
        Tensor sum = gathered[x.id()];
        gathered[x.id()] = sum == null ? gradient : sum.add(gradient);
        owned[x.id()] = false;
    }

    /** What was gathered for {@code x}, for an operation that adds it to what it has and hands the sum to {@link #set}. */
    @Nullable
    Tensor soFar(Tensor x) {
        return wants(x) ? gathered[x.id()] : null;
    }

    /** Takes {@code gradient}, which nothing else refers to, in place of what was gathered for {@code x}. */
    void set(Tensor x, Tensor gradient) {
        if (gathersApart(x)) {
            add(x, gradient);
        } else {
            gathered[x.id()] = gradient;
            owned[x.id()] = true;
        }
    }

    /** {@link #soFar} where nothing else refers to it, so that it may be added to in its place; else null. */
    @Nullable
    Tensor ownedSoFar(Tensor x) {
        return wants(x) && owned[x.id()] ? gathered[x.id()] : null;
    }

    private boolean gathersApart(Tensor x) {
        return target != null && x.parameter() != null;
    }

    /**
     * The activation whose output {@code x} is, if the caller is the last to add to the gradient of x and may turn all of it
     * into that of the activation's input, which it hands to {@link #setBefore}.
     */
    TapedArray.@Nullable Activated lastActivation(Tensor x) {
        // Only where gradients of parameters alone are asked for: that of x itself would be missed elsewhere.
        return target != null && wants(x) && uses[x.id()] == 0 ? x.activated() : null;
    }

    /** Takes the gradient of the input of the activation whose output {@code x} is, in place of what was gathered for x. */
    void setBefore(TapedArray.Activated activation, Tensor x, Tensor gradient) {
        gathered[x.id()] = null;
        add(activation.sums(), gradient);
    }

    /**
     * Adds the gradients of an operation that is fused, by way of its definition in simpler differentiable operations.
     * That is how a fused backward is itself differentiated.
     *
     * @param inputs what the definition reads
     * @param outputs of the fused operation
     * @param definition computes the same outputs anew from the inputs
     */
    public void addByDefinition(List<Tensor> inputs, List<Tensor> outputs, Supplier<List<Tensor>> definition) {
        int start = tape.nodeCount();
        boolean differentiable = tape.setRecording(true);
        List<Tensor> composed;
        try {
            composed = definition.get();
        } finally {
            tape.setRecording(differentiable);
        }
        List<Tensor> distinct = inputs.stream().filter(this::wants).distinct().toList();
        Gradients inner = new Gradients(tape, start, distinct);
        for (int i = 0; i < composed.size(); i++) {
            Tensor gradient = ofOrNull(outputs.get(i));
            if (gradient != null) {
                inner.add(composed.get(i), gradient);
            }
        }
        inner.sweep();
        for (Tensor input : distinct) {
            Tensor gradient = inner.ofOrNull(input);
            if (gradient != null) {
                add(input, gradient);
            }
        }
        if (!differentiable) {
            tape.forgetFrom(start);
        }
    }

    /**
     * The place for the gradient of {@code x} if it is a parameter whose gradient goes to a flat array and nothing has
     * been written there. The caller must then fill it; on null it hands a tensor to {@link #add}.
     */
    @Nullable
    DeviceArray claim(Tensor x) {
        Parameter parameter = x.parameter();
        if (target == null || parameter == null || target.written[parameter.index()]) {
            return null;
        }
        target.written[parameter.index()] = true;
        return target.slot(parameter);
    }

    /** Propagates what was added to the outputs back to the wanted inputs. */
    void sweep() {
        for (int i = lastNode - 1; i >= firstNode; i--) {
            Node node = tape.node(i);
            count(node, -1);
            for (Tensor output : node.outputs()) {
                if (gathered[output.id()] != null) {
                    node.backward().propagate(this);
                    break;
                }
            }
        }
    }

    /** Zeroes the places of parameters that no gradient reached. */
    void clearUnwritten() {
        if (target == null) {
            return;
        }
        for (Parameter parameter : target.parameters.all()) {
            if (!target.written[parameter.index()]) {
                tape.backend().memory().fill(target.slot(parameter), 0);
            }
        }
    }

    private void addToSlot(Target target, Parameter parameter, DeviceArray gradient) {
        DeviceArray slot = target.slot(parameter);
        if (target.written[parameter.index()]) {
            int[] shape = {Math.toIntExact(slot.length())};
            int[] stride = {1};
            tape.backend().math().zip(BinaryOp.ADD, shape, slot, stride, gradient, stride, slot);
        } else {
            tape.backend().memory().copy(gradient, slot);
            target.written[parameter.index()] = true;
        }
    }
}
