// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.math.ReduceOp;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Some choices at once, each by a softmax of its own. All have as many logits as the one with most choices: those that it
 * lacks are forbidden, like those that a state forbids.
 */
final class CategoricalActions implements ActionDistribution {
    private final int[] choices;
    private final int width;
    private final boolean masked;

    /**
     * @param choices how many there are, for each part of an action
     * @param masked whether states forbid some
     */
    CategoricalActions(int[] choices, boolean masked) {
        this.choices = choices;
        this.width = Arrays.stream(choices).max().orElseThrow();
        this.masked = masked || Arrays.stream(choices).anyMatch(n -> n < width);
    }

    private int parts() {
        return choices.length;
    }

    @Override
    public int outputs() {
        return parts() * width;
    }

    @Override
    public int actionSize() {
        return parts();
    }

    @Override
    public double maxEntropy() {
        return Arrays.stream(choices).mapToDouble(Math::log).sum();
    }

    @Override
    public DType actionType() {
        return DType.I32;
    }

    @Override
    public boolean masked() {
        return masked;
    }

    @Override
    public int[] choiceOfOutput() {
        int[] ofOutput = new int[outputs()];
        int first = 0;
        for (int part = 0; part < parts(); part++) {
            for (int choice = 0; choice < width; choice++) {
                ofOutput[part * width + choice] = choice < choices[part] ? first + choice : -1;
            }
            first += choices[part];
        }
        return ofOutput;
    }

    @Override
    public void sample(Backend backend, Tensor outputs, RandomRange draw, DeviceArray actions, DeviceArray logProbs) {
        int rows = outputs.size(0);
        if (parts() == 1) {
            backend.rl().sampleCategorical(rows, width, outputs.array(), draw, actions, logProbs);
            return;
        }
        DeviceArray ofParts = outputs.tape().allocate(logProbs.dtype(), (long) rows * parts());
        RandomRange ofEachPart = new RandomRange(draw.seed(), draw.stream(), draw.first() * parts(), draw.counter());
        backend.rl().sampleCategorical(rows * parts(), width, outputs.array(), ofEachPart, actions, ofParts);
        backend.math().reduce(ReduceOp.SUM, rows, parts(), 1, ofParts, logProbs);
    }

    @Override
    public void mostLikely(Backend backend, Tensor outputs, DeviceArray actions) {
        backend.rl().argmax(outputs.size(0) * parts(), width, outputs.array(), actions);
    }

    @Override
    public Loss loss(
            Tape tape, PpoLoss loss, ActorCritic.Outputs outputs, PpoBatch<DeviceArray> batch, DeviceArray statistics) {
        Backend backend = tape.backend();
        int rows = outputs.policy().size(0);
        DeviceArray dLogits = tape.allocate(backend.memory().floatType(), (long) rows * outputs());
        DeviceArray dValues = tape.allocate(backend.memory().floatType(), rows);
        backend.rl()
                .ppoCategorical(
                        loss,
                        batch,
                        parts(),
                        width,
                        outputs.policy().array(),
                        outputs.values().array(),
                        dLogits,
                        dValues,
                        statistics);
        return new Loss(
                List.of(outputs.policy(), outputs.values()),
                List.of(tape.constant(dLogits, rows, outputs()), tape.constant(dValues, rows, 1)));
    }

    @Override
    public Tensor imitationLoss(Tensor outputs, DeviceArray actions) {
        Tape tape = outputs.tape();
        int rows = outputs.size(0);
        int all = rows * parts();
        Tensor numbers = tape.result(width);
        tape.backend().math().iota(0, 1, numbers.array());
        Tensor taken = tape.result(all, width);
        int[] alongColumns = {0, 1};
        int[] alongRows = {1, 0};
        tape.backend()
                .math()
                .zip(
                        BinaryOp.EQUAL,
                        new int[] {all, width},
                        numbers.array(),
                        alongColumns,
                        actions,
                        alongRows,
                        taken.array());
        Tensor ofParts =
                byPart(outputs).logSoftmax().multiply(taken).sumKeepingAxes(-1).negate();
        return ofParts.reshape(rows, parts()).sumKeepingAxes(-1);
    }

    @Override
    public int parameterCount() {
        return outputs();
    }

    /** The logits. */
    @Override
    public Tensor parameters(Tensor outputs) {
        return outputs;
    }

    /** {@code (diag(p) - p p^T) t} of each part. */
    @Override
    public Tensor fisherProduct(Tensor parameters, Tensor tangents) {
        Tensor p = byPart(parameters).softmax();
        Tensor weighted = p.multiply(byPart(tangents));
        return weighted.subtract(p.multiply(weighted.sumKeepingAxes(-1))).reshape(parameters.size(0), outputs());
    }

    @Override
    public Tensor divergence(Tensor from, Tensor to) {
        Tensor logFrom = byPart(from).logSoftmax();
        Tensor ofParts = logFrom.exp()
                .multiply(logFrom.subtract(byPart(to).logSoftmax()))
                .sumKeepingAxes(-1);
        return parts() == 1 ? ofParts : ofParts.reshape(from.size(0), parts()).sumKeepingAxes(-1);
    }

    private Tensor byPart(Tensor logits) {
        return parts() == 1 ? logits : logits.reshape(logits.size(0) * parts(), width);
    }
}
