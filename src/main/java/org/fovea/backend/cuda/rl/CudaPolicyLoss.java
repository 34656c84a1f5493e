package org.fovea.backend.cuda.rl;

import org.fovea.backend.cuda.attention.CudaTangents;
import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.PpoCategoricalParams;
import org.fovea.backend.cuda.params.PpoGaussianParams;
import org.fovea.backend.cuda.params.PpoStatisticsParams;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.RlChecks;

/** The policy losses of {@link org.fovea.backend.rl.RlOps} as kernel launches. */
abstract class CudaPolicyLoss extends CudaTangents {
    private final Kernels.Kernel ppoCategorical;
    private final Kernels.Kernel ppoGaussian;
    private final Kernels.Kernel ppoStatistics;
    private final PpoCategoricalParams ppoCategoricalParams;
    private final PpoGaussianParams ppoGaussianParams;
    private final PpoStatisticsParams ppoStatisticsParams;

    CudaPolicyLoss(CudaContext context) {
        super(context);
        ppoCategorical = kernels.find("ppo_categorical", THREADS, 0);
        ppoGaussian = kernels.find("ppo_gaussian", THREADS, 0);
        ppoStatistics = kernels.find("ppo_statistics", THREADS, 0);
        ppoCategoricalParams = new PpoCategoricalParams(kernels.parameters());
        ppoGaussianParams = new PpoGaussianParams(kernels.parameters());
        ppoStatisticsParams = new PpoStatisticsParams(kernels.parameters());
    }

    public final void ppoCategorical(
            PpoLoss loss,
            int rows,
            int actions,
            DeviceArray logits,
            DeviceArray values,
            DeviceArray taken,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dLogits,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoCategorical";
        RlChecks.ppoCategorical(
                rows,
                actions,
                logits,
                values,
                taken,
                oldLogProbs,
                advantages,
                returns,
                oldValues,
                dLogits,
                dValues,
                statistics);
        CudaArray x = floats(operation, "logits", logits);
        CudaArray action = resolve(operation, "taken", DType.I32, taken);
        CudaArray dx = floats(operation, "dLogits", dLogits);
        PpoColumns columns = columns(
                operation, values, oldLogProbs, advantages, returns, oldValues, dValues, statistics, x, action, dx);
        int blocks = summingBlocks(rows, actions);
        try (Scope scope = openScope()) {
            long partial = scratch(scope, DType.F32, (long) blocks * PpoLoss.STATISTICS);
            if (blocks > 0) {
                ppoCategoricalParams
                        .logits(x.address())
                        .taken(action.address())
                        .dLogits(dx.address())
                        .values(columns.value.address())
                        .oldLogProbs(columns.oldLogProb.address())
                        .advantages(columns.advantage.address())
                        .returns(columns.target.address())
                        .oldValues(columns.oldValue.address())
                        .dValues(columns.dValue.address())
                        .partial(partial)
                        .rows(rows)
                        .actions(actions)
                        .clipLow((float) (1 - (double) loss.clip()))
                        .clipHigh((float) (1 + (double) loss.clip()))
                        .entropyCoef(loss.entropyCoef())
                        .valueScale((float) ((double) loss.rowWeight() * loss.valueCoef()))
                        .valueClip(loss.valueClip())
                        .rowWeight(loss.rowWeight());
                kernels.launch(ppoCategorical, blocks, ppoCategoricalParams);
            }
            launchStatistics(partial, blocks, columns.statistics, 0, 0);
        }
    }

    public final void ppoGaussian(
            PpoLoss loss,
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            DeviceArray values,
            DeviceArray taken,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dMean,
            DeviceArray dLogStd,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoGaussian";
        RlChecks.ppoGaussian(
                rows,
                dim,
                mean,
                logStd,
                values,
                taken,
                oldLogProbs,
                advantages,
                returns,
                oldValues,
                dMean,
                dLogStd,
                dValues,
                statistics);
        CudaArray means = floats(operation, "mean", mean);
        CudaArray logStds = floats(operation, "logStd", logStd);
        CudaArray action = floats(operation, "taken", taken);
        CudaArray toMean = floats(operation, "dMean", dMean);
        CudaArray toLogStd = floats(operation, "dLogStd", dLogStd);
        PpoColumns columns = columns(
                operation,
                values,
                oldLogProbs,
                advantages,
                returns,
                oldValues,
                dValues,
                statistics,
                means,
                logStds,
                action,
                toMean,
                toLogStd);
        requireApart(operation, toMean, means, logStds, action, toLogStd);
        int blocks = summingBlocks(rows, dim);
        try (Scope scope = openScope()) {
            long partial = scratch(scope, DType.F32, (long) blocks * (PpoLoss.STATISTICS + dim));
            if (blocks > 0) {
                ppoGaussianParams
                        .mean(means.address())
                        .logStd(logStds.address())
                        .taken(action.address())
                        .dMean(toMean.address())
                        .values(columns.value.address())
                        .oldLogProbs(columns.oldLogProb.address())
                        .advantages(columns.advantage.address())
                        .returns(columns.target.address())
                        .oldValues(columns.oldValue.address())
                        .dValues(columns.dValue.address())
                        .partial(partial)
                        .rows(rows)
                        .dim(dim)
                        .clipLow((float) (1 - (double) loss.clip()))
                        .clipHigh((float) (1 + (double) loss.clip()))
                        .entropyCoef(loss.entropyCoef())
                        .valueScale((float) ((double) loss.rowWeight() * loss.valueCoef()))
                        .valueClip(loss.valueClip())
                        .rowWeight(loss.rowWeight());
                kernels.launch(ppoGaussian, blocks, ppoGaussianParams);
            }
            launchStatistics(partial, blocks, columns.statistics, toLogStd.address(), dim);
        }
    }

    /** What both losses have one of per row, and their statistics. */
    private record PpoColumns(
            CudaArray value,
            CudaArray oldLogProb,
            CudaArray advantage,
            CudaArray target,
            CudaArray oldValue,
            CudaArray dValue,
            CudaArray statistics) {}

    private PpoColumns columns(
            String operation,
            DeviceArray values,
            DeviceArray oldLogProbs,
            DeviceArray advantages,
            DeviceArray returns,
            DeviceArray oldValues,
            DeviceArray dValues,
            DeviceArray statistics,
            CudaArray... others) {
        PpoColumns columns = new PpoColumns(
                floats(operation, "values", values),
                floats(operation, "oldLogProbs", oldLogProbs),
                floats(operation, "advantages", advantages),
                floats(operation, "returns", returns),
                floats(operation, "oldValues", oldValues),
                floats(operation, "dValues", dValues),
                floats(operation, "statistics", statistics));
        requireApart(operation, columns.dValue, others);
        requireApart(operation, columns.statistics, others);
        requireApart(
                operation,
                columns.dValue,
                columns.value,
                columns.oldLogProb,
                columns.advantage,
                columns.target,
                columns.oldValue,
                columns.statistics);
        return columns;
    }

    private void launchStatistics(long partial, int blocks, CudaArray statistics, long dLogStd, int dim) {
        ppoStatisticsParams
                .partial(partial)
                .statistics(statistics.address())
                .dLogStd(dLogStd)
                .blocks(blocks)
                .dim(dim);
        kernels.launch(ppoStatistics, tiles(PpoLoss.STATISTICS + (long) dim, WARP), ppoStatisticsParams);
    }
}
