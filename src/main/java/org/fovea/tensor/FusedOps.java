// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import org.fovea.backend.math.Activation;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.Gemm;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;
import org.jspecify.annotations.Nullable;

/** Operations that a backend computes in one go. */
final class FusedOps {
    private FusedOps() {}

    static Tensor softmax(Tensor x) {
        Tape tape = x.tape();
        Tensor y = tape.result(x.sizes());
        tape.backend().math().softmax(rows("softmax", x), x.size(-1), x.array(), y.array());
        if (tape.records(x)) {
            Backward backward = g -> {
                Tensor weighted = g.of(y).multiply(y);
                g.add(x, weighted.subtract(y.multiply(weighted.sumKeepingAxes(-1))));
            };
            tape.record(y, backward, x);
        }
        return y;
    }

    static Tensor logSoftmax(Tensor x) {
        Tape tape = x.tape();
        Tensor y = tape.result(x.sizes());
        tape.backend().math().logSoftmax(rows("logSoftmax", x), x.size(-1), x.array(), y.array());
        if (tape.records(x)) {
            Backward backward = g -> {
                Tensor dy = g.of(y);
                g.add(x, dy.subtract(y.exp().multiply(dy.sumKeepingAxes(-1))));
            };
            tape.record(y, backward, x);
        }
        return y;
    }

    // ---- linear

    static Tensor linear(Tensor x, Tensor weight, @Nullable Tensor bias, Activation activation) {
        Tape tape = x.tape();
        weight.requireTape(tape);
        if (weight.rank() != 2 || x.rank() < 1 || x.size(-1) != weight.size(0)) {
            throw new ShapeException(
                    "linear",
                    "input " + Shapes.text(x.sizes()) + " does not fit weight [in, out] "
                            + Shapes.text(weight.sizes()));
        }
        int in = weight.size(0);
        int out = weight.size(1);
        if (bias != null && bias.length() != out) {
            throw new ShapeException(
                    "linear",
                    "bias " + Shapes.text(bias.sizes()) + " does not fit weight [in, out] "
                            + Shapes.text(weight.sizes()));
        }
        int rows = rows("linear", x);
        Tensor y = tape.result(Shapes.with(x.sizes(), x.rank() - 1, out));
        DeviceArray biasArray = bias == null ? null : bias.array();
        tape.backend().math().linear(rows, in, out, x.array(), weight.array(), biasArray, activation, y.array());
        if (bias == null) {
            if (tape.records(x, weight)) {
                tape.record(y, g -> linearBackward(x, weight, null, activation, y, g), x, weight);
            }
        } else if (tape.records(x, weight) || tape.records(bias)) {
            tape.record(y, g -> linearBackward(x, weight, bias, activation, y, g), x, weight, bias);
        }
        return y;
    }

    private static void linearBackward(
            Tensor x, Tensor weight, @Nullable Tensor bias, Activation activation, Tensor y, Gradients g) {
        int in = weight.size(0);
        int out = weight.size(1);
        int rows = rows("linear", x);
        Tensor dPre = activationGradient(activation, y, g.of(y)).reshape(rows, out);
        if (g.wants(x)) {
            g.add(x, MatrixOps.matmul(dPre, weight, false, true).reshape(x.sizes()));
        }
        if (g.wants(weight)) {
            DeviceArray slot = g.claim(weight);
            if (slot == null) {
                g.add(weight, MatrixOps.matmul(x.reshape(rows, in), dPre, true, false));
            } else {
                g.backend().math().gemm(Gemm.dense(true, false, in, out, rows), x.array(), dPre.array(), slot);
            }
        }
        if (bias != null && g.wants(bias)) {
            DeviceArray slot = g.claim(bias);
            if (slot == null) {
                g.add(bias, dPre.sum(0).reshape(bias.sizes()));
            } else {
                g.backend().math().reduce(ReduceOp.SUM, 1, rows, out, dPre.array(), slot);
            }
        }
    }

    private static Tensor activationGradient(Activation activation, Tensor y, Tensor dy) {
        return switch (activation) {
            case NONE -> dy;
            case TANH -> ElementwiseOps.binary(BinaryOp.TANH_GRADIENT, y, dy);
            case RELU -> ElementwiseOps.binary(BinaryOp.RELU_GRADIENT, y, dy);
            case SIGMOID -> ElementwiseOps.binary(BinaryOp.SIGMOID_GRADIENT, y, dy);
        };
    }

    // ---- layer normalisation

    static Tensor layerNorm(Tensor x, Tensor gain, Tensor bias, float epsilon) {
        Tape tape = x.tape();
        int rows = rows("layerNorm", x);
        int width = x.size(-1);
        if (gain.length() != width || bias.length() != width) {
            throw new ShapeException(
                    "layerNorm",
                    "gain " + Shapes.text(gain.sizes()) + " and bias " + Shapes.text(bias.sizes())
                            + " must have the width of " + Shapes.text(x.sizes()));
        }
        Tensor y = tape.result(x.sizes());
        Tensor mean = tape.result(rows);
        Tensor reciprocalStd = tape.result(rows);
        LayerNormArgs<DeviceArray> args =
                new LayerNormArgs<>(rows, width, x.array(), gain.array(), mean.array(), reciprocalStd.array());
        tape.backend().math().layerNorm(args, epsilon, bias.array(), y.array());
        if (tape.records(x, gain) || tape.records(bias)) {
            Backward backward = g -> layerNormBackward(x, gain, bias, epsilon, mean, reciprocalStd, g.of(y), g);
            tape.record(y, backward, x, gain, bias);
        }
        return y;
    }

    private static void layerNormBackward(
            Tensor x,
            Tensor gain,
            Tensor bias,
            float epsilon,
            Tensor mean,
            Tensor reciprocalStd,
            Tensor dy,
            Gradients g) {
        Tape tape = x.tape();
        DeviceArray gainSlot = g.claim(gain);
        DeviceArray biasSlot = g.claim(bias);
        Tensor dx = tape.result(x.sizes());
        Tensor dGain = gainSlot == null ? tape.result(gain.sizes()) : tape.constant(gainSlot, gain.sizes());
        Tensor dBias = biasSlot == null ? tape.result(bias.sizes()) : tape.constant(biasSlot, bias.sizes());
        LayerNormArgs<DeviceArray> args = new LayerNormArgs<>(
                rows("layerNorm", x), x.size(-1), x.array(), gain.array(), mean.array(), reciprocalStd.array());
        tape.backend().math().layerNormBackward(args, dy.array(), dx.array(), dGain.array(), dBias.array());
        List<Tensor> inputs = List.of(x, gain, dy);
        List<Tensor> outputs = List.of(dx, dGain, dBias);
        if (tape.records(inputs)) {
            Backward backward = second -> second.addByDefinition(
                    inputs, outputs, () -> layerNormGradientDefinition(x, gain, dy, bias.sizes(), epsilon));
            tape.record(inputs, outputs, backward);
        }
        g.add(x, dx);
        if (gainSlot == null) {
            g.add(gain, dGain);
        }
        if (biasSlot == null) {
            g.add(bias, dBias);
        }
    }

    /** The gradients of layer normalisation written out: dx, dGain, dBias. */
    private static List<Tensor> layerNormGradientDefinition(
            Tensor x, Tensor gain, Tensor dy, int[] biasShape, float epsilon) {
        Tensor centred = x.subtract(x.meanKeepingAxes(-1));
        Tensor reciprocalStd = centred.square().meanKeepingAxes(-1).add(epsilon).rsqrt();
        Tensor normal = centred.multiply(reciprocalStd);
        Tensor dNormal = dy.multiply(gain.reshape(x.size(-1)));
        Tensor along = normal.multiply(dNormal.multiply(normal).meanKeepingAxes(-1));
        Tensor dx =
                dNormal.subtract(dNormal.meanKeepingAxes(-1)).subtract(along).multiply(reciprocalStd);
        int[] width = {x.size(-1)};
        return List.of(
                dx,
                ReductionOps.sumTo(width, dy.multiply(normal)).reshape(gain.sizes()),
                ReductionOps.sumTo(width, dy).reshape(biasShape));
    }

    // ---- rotary positions

    /** x [..., heads headDim] turned by the angles of {@code positions}, one for each row; sign -1 turns back. */
    static Tensor rotary(Tensor x, Tensor positions, int heads, float base, int sign) {
        Tape tape = x.tape();
        int width = x.size(-1);
        if (heads < 1 || width % (2 * heads) != 0) {
            throw new ShapeException(
                    "rotary", "the width of " + Shapes.text(x.sizes()) + " is not " + heads + " heads of even size");
        }
        int rows = rows("rotary", x);
        if (positions.length() != rows || positions.dtype().isFloating()) {
            throw new ShapeException(
                    "rotary", "positions " + positions + " must be I32, one for each row of " + Shapes.text(x.sizes()));
        }
        Tensor y = tape.result(x.sizes());
        tape.backend().math().rotary(rows, heads, width / heads, base, sign, x.array(), positions.array(), y.array());
        return tape.records(x) ? tape.record(y, g -> g.add(x, rotary(g.of(y), positions, heads, base, -sign)), x) : y;
    }

    private static int rows(String operation, Tensor x) {
        if (x.rank() == 0 || x.size(-1) == 0) {
            throw new ShapeException(operation, "needs rows of at least one element, got " + Shapes.text(x.sizes()));
        }
        return Math.toIntExact(x.length() / x.size(-1));
    }
}
