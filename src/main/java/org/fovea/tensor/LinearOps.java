// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.LinearGradients;
import org.fovea.backend.math.LinearRows;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** Linear layers: a product with what follows it, and all of its gradients, each in one go; or those of several layers. */
final class LinearOps {
    private LinearOps() {}

    /** @param added to what a layer without activation gives, of the same shape; or null */
    static Tensor linear(
            Tensor x, Tensor weight, @Nullable Tensor bias, Activation activation, @Nullable Tensor added) {
        Tape tape = x.tape();
        requireFit(x, weight, bias);
        int in = weight.size(0);
        int out = weight.size(1);
        int rows = FusedOps.rows("linear", x);
        Tensor y = tape.result(Shapes.with(x.sizes(), x.rank() - 1, out));
        DeviceArray biasArray = bias == null ? null : bias.array();
        MathOps math = tape.backend().math();
        if (added == null) {
            math.linear(rows, in, out, x.array(), weight.array(), biasArray, activation, y.array());
        } else {
            added.requireTape(tape);
            y.requireShape("linear", added);
            math.linear(rows, in, out, x.array(), weight.array(), biasArray, added.array(), y.array());
        }
        boolean recorded = tape.records(x, weight)
                || (bias != null && tape.records(bias))
                || (added != null && tape.records(added));
        if (!recorded) {
            return y;
        }
        Tensor[] inputs = bias == null ? new Tensor[] {x, weight} : new Tensor[] {x, weight, bias};
        if (added != null) {
            Backward backward = g -> {
                g.add(added, g.of(y));
                backward(x, weight, bias, g.of(y), g);
            };
            Tensor[] all = Arrays.copyOf(inputs, inputs.length + 1);
            all[inputs.length] = added;
            return tape.record(y, backward, all);
        }
        if (activation == Activation.NONE) {
            return tape.record(y, g -> backward(x, weight, bias, g.of(y), g), inputs);
        }
        Tensor sums = tape.constant(y.array(), y.sizes());
        tape.record(sums, g -> backward(x, weight, bias, g.of(sums), g), inputs);
        y.setActivated(new TapedArray.Activated(activation, sums));
        return tape.record(y, g -> g.add(sums, activationGradient(activation, y, g.of(y))), sums);
    }

    /** {@code xs[i] weights[i] + biases[i]} of layers of the same sizes. */
    static List<Tensor> linear(List<Tensor> xs, List<Tensor> weights, List<Tensor> biases) {
        Tape tape = xs.get(0).tape();
        int in = weights.get(0).size(0);
        int out = weights.get(0).size(1);
        List<LinearRows> layers = new ArrayList<>(xs.size());
        List<Tensor> ys = new ArrayList<>(xs.size());
        for (int i = 0; i < xs.size(); i++) {
            Tensor x = xs.get(i);
            x.requireTape(tape);
            requireFit(x, weights.get(i), biases.get(i));
            weights.get(0).requireShape("linear", weights.get(i));
            Tensor y = tape.result(Shapes.with(x.sizes(), x.rank() - 1, out));
            layers.add(new LinearRows(
                    FusedOps.rows("linear", x),
                    x.array(),
                    weights.get(i).array(),
                    biases.get(i).array(),
                    y.array()));
            ys.add(y);
        }
        tape.backend().math().linear(in, out, layers);
        List<Tensor> inputs = new ArrayList<>(xs);
        inputs.addAll(weights);
        inputs.addAll(biases);
        tape.record(inputs, ys, g -> backward(xs, weights, biases, ys, g));
        return ys;
    }

    private static void requireFit(Tensor x, Tensor weight, @Nullable Tensor bias) {
        weight.requireTape(x.tape());
        if (weight.rank() != 2 || x.rank() < 1 || x.size(-1) != weight.size(0)) {
            throw new ShapeException(
                    "linear",
                    "input " + Shapes.text(x.sizes()) + " does not fit weight [in, out] "
                            + Shapes.text(weight.sizes()));
        }
        if (bias != null && bias.length() != weight.size(1)) {
            throw new ShapeException(
                    "linear",
                    "bias " + Shapes.text(bias.sizes()) + " does not fit weight [in, out] "
                            + Shapes.text(weight.sizes()));
        }
    }

    private static void backward(Tensor x, Tensor weight, @Nullable Tensor bias, Tensor dy, Gradients g) {
        if (isDifferentiated(x, weight, dy)) {
            backwardByProducts(x, weight, bias, dy, g);
            return;
        }
        TapedArray.Activated before = g.lastActivation(x);
        LayerGradients gradients = LayerGradients.of(x, weight, bias, dy, before, g);
        x.tape().backend().math().linearBackward(gradients.arrays());
        Tensor dx = gradients.dx;
        if (dx != null && before != null) {
            g.setBefore(before, x, dx);
        } else if (dx != null) {
            g.set(x, dx);
        }
        gradients.addParameters(g);
    }

    /** That of several layers, from the last to the first, as if each were by itself. */
    private static void backward(
            List<Tensor> xs, List<Tensor> weights, List<Tensor> biases, List<Tensor> ys, Gradients g) {
        List<LayerGradients> together = new ArrayList<>(xs.size());
        for (int i = xs.size() - 1; i >= 0; i--) {
            Tensor x = xs.get(i);
            Tensor dy = g.ofOrNull(ys.get(i));
            if (dy == null) {
                continue;
            }
            // The gradient of a parameter may be added up at once, which that of a layer to come can't be.
            if (x.parameter() != null || isDifferentiated(x, weights.get(i), dy)) {
                backward(x, weights.get(i), biases.get(i), dy, g);
                continue;
            }
            LayerGradients gradients = LayerGradients.of(x, weights.get(i), biases.get(i), dy, null, g);
            if (gradients.dx != null) {
                g.set(x, gradients.dx);
            }
            together.add(gradients);
        }
        if (!together.isEmpty()) {
            xs.get(0)
                    .tape()
                    .backend()
                    .math()
                    .linearBackward(
                            together.stream().map(LayerGradients::arrays).toList());
            together.forEach(gradients -> gradients.addParameters(g));
        }
    }

    private static boolean isDifferentiated(Tensor x, Tensor weight, Tensor dy) {
        return x.tape().records(x, weight) || x.tape().records(dy);
    }

    /** By operations that can be differentiated in their turn. */
    private static void backwardByProducts(
            Tensor x, Tensor weight, @Nullable Tensor bias, Tensor ofOutput, Gradients g) {
        int rows = FusedOps.rows("linear", x);
        Tensor dy = ofOutput.reshape(rows, weight.size(1));
        if (g.wants(x)) {
            g.add(x, MatrixOps.matmul(dy, weight, false, true).reshape(x.sizes()));
        }
        if (g.wants(weight)) {
            g.add(weight, MatrixOps.matmul(x.reshape(rows, weight.size(0)), dy, true, false));
        }
        if (bias != null && g.wants(bias)) {
            g.add(bias, dy.sum(0).reshape(bias.sizes()));
        }
    }

    /** The gradients of a layer that are wanted, and where they go. */
    private record LayerGradients(
            LinearGradients<DeviceArray> arrays,
            @Nullable Tensor dx,
            @Nullable ParameterGradient dWeight,
            @Nullable ParameterGradient dBias) {

        /** @param before the activation whose output x is, if its gradient is part of dx */
        static LayerGradients of(
                Tensor x,
                Tensor weight,
                @Nullable Tensor bias,
                Tensor dy,
                TapedArray.@Nullable Activated before,
                Gradients g) {
            Tensor added = g.soFar(x);
            Tensor dx = g.wants(x) ? x.tape().result(x.sizes()) : null;
            ParameterGradient dWeight = ParameterGradient.of(weight, g);
            ParameterGradient dBias = bias == null ? null : ParameterGradient.of(bias, g);
            LinearGradients<DeviceArray> arrays = new LinearGradients<>(
                    FusedOps.rows("linear", x),
                    weight.size(0),
                    weight.size(1),
                    before == null ? Activation.NONE : before.function(),
                    x.array(),
                    weight.array(),
                    dy.array(),
                    added == null ? null : added.array(),
                    dx == null ? null : dx.array(),
                    dWeight == null ? null : dWeight.array,
                    dBias == null ? null : dBias.array);
            return new LayerGradients(arrays, dx, dWeight, dBias);
        }

        /** Once they are computed. */
        void addParameters(Gradients g) {
            if (dWeight != null) {
                dWeight.addTo(g);
            }
            if (dBias != null) {
                dBias.addTo(g);
            }
        }
    }

    /** Where an operation writes the gradient of a parameter: to its place if that is free, else to a tensor of its own. */
    private record ParameterGradient(Tensor parameter, DeviceArray array, boolean inPlace) {
        /** Null where it is not wanted. */
        static @Nullable ParameterGradient of(Tensor parameter, Gradients g) {
            if (!g.wants(parameter)) {
                return null;
            }
            DeviceArray slot = g.claim(parameter);
            return slot == null
                    ? new ParameterGradient(
                            parameter,
                            parameter.tape().result(parameter.sizes()).array(),
                            false)
                    : new ParameterGradient(parameter, slot, true);
        }

        void addTo(Gradients g) {
            if (!inPlace) {
                g.add(parameter, parameter.tape().constant(array, parameter.sizes()));
            }
        }
    }

    private static Tensor activationGradient(Activation activation, Tensor y, Tensor dy) {
        BinaryOp gradient = activation.gradient();
        return gradient == null ? dy : ElementwiseOps.binary(gradient, y, dy);
    }
}
