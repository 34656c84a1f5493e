// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** One of n choices, by the softmax of n logits. */
record CategoricalActions(int choices) implements ActionDistribution {

    @Override
    public int outputs() {
        return choices;
    }

    @Override
    public int actionSize() {
        return 1;
    }

    @Override
    public double maxEntropy() {
        return Math.log(choices);
    }

    @Override
    public DType actionType() {
        return DType.I32;
    }

    @Override
    public void sample(Backend backend, Tensor outputs, RandomRange draw, DeviceArray actions, DeviceArray logProbs) {
        backend.rl().sampleCategorical(outputs.size(0), choices, outputs.array(), draw, actions, logProbs);
    }

    @Override
    public void mostLikely(Backend backend, Tensor outputs, DeviceArray actions) {
        backend.rl().argmax(outputs.size(0), choices, outputs.array(), actions);
    }

    @Override
    public Loss loss(
            Tape tape, PpoLoss loss, ActorCritic.Outputs outputs, PpoBatch<DeviceArray> batch, DeviceArray statistics) {
        Backend backend = tape.backend();
        int rows = outputs.policy().size(0);
        DeviceArray dLogits = tape.allocate(backend.memory().floatType(), (long) rows * choices);
        DeviceArray dValues = tape.allocate(backend.memory().floatType(), rows);
        backend.rl()
                .ppoCategorical(
                        loss,
                        batch,
                        choices,
                        outputs.policy().array(),
                        outputs.values().array(),
                        dLogits,
                        dValues,
                        statistics);
        return new Loss(
                List.of(outputs.policy(), outputs.values()),
                List.of(tape.constant(dLogits, rows, choices), tape.constant(dValues, rows, 1)));
    }

    @Override
    public int parameterCount() {
        return choices;
    }

    /** The logits. */
    @Override
    public Tensor parameters(Tensor outputs) {
        return outputs;
    }

    /** {@code (diag(p) - p p^T) t}. */
    @Override
    public Tensor fisherProduct(Tensor parameters, Tensor tangents) {
        Tensor p = parameters.softmax();
        Tensor weighted = p.multiply(tangents);
        return weighted.subtract(p.multiply(weighted.sumKeepingAxes(-1)));
    }

    @Override
    public Tensor divergence(Tensor from, Tensor to) {
        Tensor logFrom = from.logSoftmax();
        return logFrom.exp().multiply(logFrom.subtract(to.logSoftmax())).sumKeepingAxes(-1);
    }
}
