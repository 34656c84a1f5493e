package org.fovea.rl;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Draw;
import org.fovea.backend.PpoLoss;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/** A vector of independent normals whose means the network gives; standard deviations do not depend on the state. */
record GaussianActions(int size, Parameter logStd) implements ActionDistribution {

    @Override
    public int outputs() {
        return size;
    }

    @Override
    public int actionSize() {
        return size;
    }

    @Override
    public DType actionType() {
        return logStd.value().dtype();
    }

    @Override
    public void sample(Backend backend, Tensor outputs, Draw draw, DeviceArray actions, DeviceArray logProbs) {
        backend.sampleGaussian(outputs.size(0), size, outputs.array(), logStd.value(), draw, actions, logProbs);
    }

    @Override
    public void mostLikely(Backend backend, Tensor outputs, DeviceArray actions) {
        backend.copy(outputs.array(), actions);
    }

    @Override
    public Loss loss(Tape tape, PpoLoss loss, ActorCritic.Outputs outputs, PlayedRows batch, DeviceArray statistics) {
        Backend backend = tape.backend();
        int rows = outputs.policy().size(0);
        DeviceArray dMean = tape.allocate(backend.floatType(), (long) rows * size);
        DeviceArray dLogStd = tape.allocate(backend.floatType(), size);
        DeviceArray dValues = tape.allocate(backend.floatType(), rows);
        backend.ppoGaussian(
                loss,
                rows,
                size,
                outputs.policy().array(),
                logStd.value(),
                outputs.values().array(),
                batch.actions(),
                batch.logProbs(),
                batch.advantages(),
                batch.returns(),
                batch.values(),
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
}
