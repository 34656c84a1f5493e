// SPDX-License-Identifier: Apache-2.0
package org.fovea.tensor;

import java.util.List;
import org.fovea.backend.math.LayerNormArgs;
import org.fovea.backend.math.MathOps;
import org.fovea.backend.math.RotaryRows;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.ShapeException;

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
        List<Tensor> inputs = List.of(x, gain, dy);
        boolean recorded = tape.records(inputs);
        Tensor added = recorded ? null : g.soFar(x);
        MathOps math = tape.backend().math();
        if (added == null) {
            math.layerNormBackward(args, dy.array(), dx.array(), dGain.array(), dBias.array());
        } else {
            math.layerNormBackward(args, dy.array(), added.array(), dx.array(), dGain.array(), dBias.array());
        }
        if (recorded) {
            List<Tensor> outputs = List.of(dx, dGain, dBias);
            Backward backward = second -> second.addByDefinition(
                    inputs, outputs, () -> layerNormGradientDefinition(x, gain, dy, bias.sizes(), epsilon));
            tape.record(inputs, outputs, backward);
        }
        if (added == null) {
            g.add(x, dx);
        } else {
            g.set(x, dx);
        }
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
        RotaryRows of = rotaryRows(x, positions, heads);
        tape.backend().math().rotary(of.rows(), heads, x.size(-1) / heads, base, sign, of.x(), of.positions(), of.y());
        Tensor y = tape.constant(of.y(), x.sizes());
        return tape.records(x) ? tape.record(y, g -> g.add(x, rotary(g.of(y), positions, heads, base, -sign)), x) : y;
    }

    /** {@link #rotary(Tensor, Tensor, int, float, int)} of two tensors. */
    static List<Tensor> rotary(
            Tensor first,
            Tensor firstPositions,
            Tensor second,
            Tensor secondPositions,
            int heads,
            float base,
            int sign) {
        Tape tape = first.tape();
        second.requireTape(tape);
        RotaryRows ofFirst = rotaryRows(first, firstPositions, heads);
        RotaryRows ofSecond = rotaryRows(second, secondPositions, heads);
        if (first.size(-1) != second.size(-1)) {
            throw new ShapeException(
                    "rotary", Shapes.text(first.sizes()) + " and " + Shapes.text(second.sizes()) + " differ in width");
        }
        tape.backend().math().rotary(heads, first.size(-1) / heads, base, sign, ofFirst, ofSecond);
        Tensor y = tape.constant(ofFirst.y(), first.sizes());
        Tensor z = tape.constant(ofSecond.y(), second.sizes());
        tape.record(List.of(first, second), List.of(y, z), g -> {
            Tensor dy = g.ofOrNull(y);
            Tensor dz = g.ofOrNull(z);
            if (dy != null && dz != null) {
                List<Tensor> turnedBack = rotary(dy, firstPositions, dz, secondPositions, heads, base, -sign);
                g.add(first, turnedBack.get(0));
                g.add(second, turnedBack.get(1));
            } else if (dy != null) {
                g.add(first, rotary(dy, firstPositions, heads, base, -sign));
            } else if (dz != null) {
                g.add(second, rotary(dz, secondPositions, heads, base, -sign));
            }
        });
        return List.of(y, z);
    }

    private static RotaryRows rotaryRows(Tensor x, Tensor positions, int heads) {
        int rows = rows("rotary", x);
        if (heads < 1 || x.size(-1) % (2 * heads) != 0) {
            throw new ShapeException(
                    "rotary", "the width of " + Shapes.text(x.sizes()) + " is not " + heads + " heads of even size");
        }
        if (positions.length() != rows || positions.dtype().isFloating()) {
            throw new ShapeException(
                    "rotary", "positions " + positions + " must be I32, one for each row of " + Shapes.text(x.sizes()));
        }
        return new RotaryRows(
                rows, x.array(), positions.array(), x.tape().result(x.sizes()).array());
    }

    static int rows(String operation, Tensor x) {
        if (x.rank() == 0 || x.size(-1) == 0) {
            throw new ShapeException(operation, "needs rows of at least one element, got " + Shapes.text(x.sizes()));
        }
        return Math.toIntExact(x.length() / x.size(-1));
    }
}
