// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** A vector of independent normals whose means the network gives; standard deviations do not depend on the state. */
public record GaussianActions(int size, Parameter logStd) implements ActionDistribution {
    @Override
    public int outputs() {
        return size;
    }

    @Override
    public int actionSize() {
        return size;
    }

    @Override
    public double maxEntropy() {
        return Double.NaN;
    }

    @Override
    public DType actionType() {
        return logStd.value().dtype();
    }

    @Override
    public void sample(Backend backend, Tensor outputs, RandomRange draw, DeviceArray actions, DeviceArray logProbs) {
        backend.rl().sampleGaussian(outputs.size(0), size, outputs.array(), logStd.value(), draw, actions, logProbs);
    }

    @Override
    public void mostLikely(Backend backend, Tensor outputs, DeviceArray actions) {
        backend.memory().copy(outputs.array(), actions);
    }

    @Override
    public Loss loss(
            Tape tape, PpoLoss loss, ActorCritic.Outputs outputs, PpoBatch<DeviceArray> batch, DeviceArray statistics) {
        Backend backend = tape.backend();
        int rows = outputs.policy().size(0);
        DeviceArray dMean = tape.allocate(backend.memory().floatType(), (long) rows * size);
        DeviceArray dLogStd = tape.allocate(backend.memory().floatType(), size);
        DeviceArray dValues = tape.allocate(backend.memory().floatType(), rows);
        backend.rl()
                .ppoGaussian(
                        loss,
                        batch,
                        outputs.policy().array(),
                        logStd.value(),
                        outputs.values().array(),
                        dMean,
                        dLogStd,
                        dValues,
                        statistics);
        return new Loss(
                List.of(outputs.policy(), outputs.values(), tape.use(logStd)),
                List.of(
                        tape.constant(dMean, rows, size),
                        tape.constant(dValues, rows, 1),
                        tape.constant(dLogStd, size)));
    }

    @Override
    public Tensor imitationLoss(Tensor outputs, DeviceArray actions) {
        Tensor taken = outputs.tape().constant(actions, outputs.size(0), size);
        return outputs.subtract(taken).square().sumKeepingAxes(-1).multiply(0.5);
    }

    @Override
    public int parameterCount() {
        return 2 * size;
    }

    /** Means, then the logarithms of the standard deviations. */
    @Override
    public Tensor parameters(Tensor outputs) {
        Tensor shared = outputs.tape().use(logStd);
        return Tensor.concat(1, List.of(outputs, shared.broadcastTo(outputs.size(0), size)));
    }

    /** {@code t / sigma^2} for the mean and {@code 2 t} for log sigma. */
    @Override
    public Tensor fisherProduct(Tensor parameters, Tensor tangents) {
        Tensor precision = logStds(parameters).multiply(-2).exp();
        return Tensor.concat(
                1,
                List.of(means(tangents).multiply(precision), logStds(tangents).multiply(2)));
    }

    /** {@code log(s' / s) + (s^2 + (m - m')^2) / (2 s'^2) - 1/2}, summed over the elements of an action. */
    @Override
    public Tensor divergence(Tensor from, Tensor to) {
        Tensor change = logStds(to).subtract(logStds(from));
        Tensor distance = means(from).subtract(means(to)).square();
        Tensor spread = logStds(from).multiply(2).exp().add(distance);
        Tensor scaled = spread.multiply(logStds(to).multiply(-2).exp()).multiply(0.5);
        return change.add(scaled).subtract(0.5).sumKeepingAxes(-1);
    }

    private Tensor means(Tensor parameters) {
        return parameters.slice(1, 0, size);
    }

    private Tensor logStds(Tensor parameters) {
        return parameters.slice(1, size, 2 * size);
    }
}
