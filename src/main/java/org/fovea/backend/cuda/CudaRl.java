package org.fovea.backend.cuda;

import org.fovea.backend.AdamSettings;
import org.fovea.backend.DType;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Draw;
import org.fovea.backend.PpoLoss;
import org.fovea.backend.RlOps;
import org.fovea.backend.RlShapes;
import org.fovea.backend.Scope;

/** Sampling, advantages, the policy loss and the optimiser as kernel launches. */
abstract class CudaRl extends CudaDecode implements RlOps {

    /** Fewest gradients of which one block sums the squares, and most blocks that do so. */
    private static final int ADAM_CHUNK = 4096;

    private static final int ADAM_CHUNKS = 1024;

    private final Kernels.Kernel argmax;
    private final Kernels.Kernel sampleCategorical;
    private final Kernels.Kernel sampleGaussian;
    private final Kernels.Kernel advantages;
    private final Kernels.Kernel ppoCategorical;
    private final Kernels.Kernel ppoGaussian;
    private final Kernels.Kernel ppoStatistics;
    private final Kernels.Kernel adamNorm;
    private final Kernels.Kernel adamPrepare;
    private final Kernels.Kernel adamUpdate;
    private final ArgmaxParams argmaxParams;
    private final SampleCategoricalParams sampleCategoricalParams;
    private final SampleGaussianParams sampleGaussianParams;
    private final AdvantagesParams advantagesParams;
    private final PpoCategoricalParams ppoCategoricalParams;
    private final PpoGaussianParams ppoGaussianParams;
    private final PpoStatisticsParams ppoStatisticsParams;
    private final AdamParams adamParams;

    CudaRl(CudaContext context) {
        super(context);
        argmax = kernels.find("argmax", THREADS, 0);
        sampleCategorical = kernels.find("sample_categorical", THREADS, 0);
        sampleGaussian = kernels.find("sample_gaussian", THREADS, 0);
        advantages = kernels.find("advantages", THREADS, 0);
        ppoCategorical = kernels.find("ppo_categorical", THREADS, 0);
        ppoGaussian = kernels.find("ppo_gaussian", THREADS, 0);
        ppoStatistics = kernels.find("ppo_statistics", THREADS, 0);
        adamNorm = kernels.find("adam_norm", THREADS, 0);
        adamPrepare = kernels.find("adam_prepare", THREADS, 0);
        adamUpdate = kernels.find("adam_update", THREADS, 0);
        argmaxParams = new ArgmaxParams(kernels.parameters());
        sampleCategoricalParams = new SampleCategoricalParams(kernels.parameters());
        sampleGaussianParams = new SampleGaussianParams(kernels.parameters());
        advantagesParams = new AdvantagesParams(kernels.parameters());
        ppoCategoricalParams = new PpoCategoricalParams(kernels.parameters());
        ppoGaussianParams = new PpoGaussianParams(kernels.parameters());
        ppoStatisticsParams = new PpoStatisticsParams(kernels.parameters());
        adamParams = new AdamParams(kernels.parameters());
    }

    @Override
    public final void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlShapes.argmax(rows, width, x, y);
        CudaArray from = floats("argmax", "x", x);
        CudaArray to = resolve("argmax", "y", DType.I32, y);
        requireApart("argmax", to, from);
        launch(
                argmax,
                (long) rows * lanes(width),
                argmaxParams.x(from.address()).y(to.address()).rows(rows).width(width));
    }

    @Override
    public final void sampleCategorical(
            int rows, int actions, DeviceArray logits, Draw draw, DeviceArray sampled, DeviceArray logProbs) {
        String operation = "sampleCategorical";
        RlShapes.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        CudaArray from = floats(operation, "logits", logits);
        CudaArray action = resolve(operation, "sampled", DType.I32, sampled);
        CudaArray logProb = floats(operation, "logProbs", logProbs);
        requireApart(operation, action, from);
        requireApart(operation, logProb, from, action);
        sampleCategoricalParams
                .logits(from.address())
                .sampled(action.address())
                .logProbs(logProb.address())
                .counter(counter(operation, draw))
                .rows(rows)
                .seed(draw.seed())
                .stream(draw.stream())
                .first(draw.first())
                .actions(actions);
        launch(sampleCategorical, (long) rows * lanes(actions), sampleCategoricalParams);
    }

    @Override
    public final void sampleGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            Draw draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        String operation = "sampleGaussian";
        RlShapes.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        CudaArray means = floats(operation, "mean", mean);
        CudaArray logStds = floats(operation, "logStd", logStd);
        CudaArray action = floats(operation, "sampled", sampled);
        CudaArray logProb = floats(operation, "logProbs", logProbs);
        requireApartOrSame(operation, action, means);
        requireApart(operation, action, logStds);
        requireApart(operation, logProb, means, logStds, action);
        sampleGaussianParams
                .mean(means.address())
                .logStd(logStds.address())
                .sampled(action.address())
                .logProbs(logProb.address())
                .counter(counter(operation, draw))
                .rows(rows)
                .seed(draw.seed())
                .stream(draw.stream())
                .first(draw.first())
                .dim(dim);
        launch(sampleGaussian, (long) rows * lanes(dim), sampleGaussianParams);
    }

    @Override
    public final void advantages(
            int environments,
            int steps,
            float gamma,
            float lambda,
            DeviceArray rewards,
            DeviceArray values,
            DeviceArray nextValues,
            DeviceArray done,
            DeviceArray advantages,
            DeviceArray returns) {
        String operation = "advantages";
        RlShapes.advantages(environments, steps, rewards, values, nextValues, done, advantages, returns);
        CudaArray reward = floats(operation, "rewards", rewards);
        CudaArray value = floats(operation, "values", values);
        CudaArray nextValue = floats(operation, "nextValues", nextValues);
        CudaArray ended = floats(operation, "done", done);
        CudaArray advantage = floats(operation, "advantages", advantages);
        CudaArray toReturn = floats(operation, "returns", returns);
        requireApart(operation, advantage, reward, value, nextValue, ended);
        requireApart(operation, toReturn, reward, value, nextValue, ended, advantage);
        advantagesParams
                .rewards(reward.address())
                .values(value.address())
                .nextValues(nextValue.address())
                .done(ended.address())
                .advantages(advantage.address())
                .returns(toReturn.address())
                .environments(environments)
                .steps(steps)
                .gamma(gamma)
                .gammaLambda((float) ((double) gamma * lambda));
        launch(this.advantages, steps == 0 ? 0 : (long) environments * lanes(steps), advantagesParams);
    }

    @Override
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
        RlShapes.ppoCategorical(
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

    @Override
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
        RlShapes.ppoGaussian(
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

    @Override
    public final void adam(
            AdamSettings settings,
            DeviceArray parameters,
            DeviceArray gradients,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        RlShapes.adam(parameters, gradients, firstMoment, secondMoment, state);
        CudaArray theta = floats("adam", "parameters", parameters);
        CudaArray gradient = floats("adam", "gradients", gradients);
        CudaArray first = floats("adam", "firstMoment", firstMoment);
        CudaArray second = floats("adam", "secondMoment", secondMoment);
        CudaArray states = floats("adam", "state", state);
        requireApart("adam", theta, gradient, first, second, states);
        requireApart("adam", first, gradient, second, states);
        requireApart("adam", second, gradient, states);
        requireApart("adam", states, gradient);
        long chunk = tiles(Math.max(ADAM_CHUNK, tiles(theta.length(), ADAM_CHUNKS)), VECTOR) * VECTOR;
        int chunks = (int) ((theta.length() + chunk - 1) / chunk);
        try (Scope scope = openScope()) {
            long step = scratch(scope, DType.F32, AdamSettings.STATE_SIZE);
            long partial = scratch(scope, DType.F32, chunks);
            adamParams
                    .parameters(theta.address())
                    .gradients(gradient.address())
                    .firstMoment(first.address())
                    .secondMoment(second.address())
                    .state(states.address())
                    .step(step)
                    .partial(partial)
                    .count(theta.length())
                    .chunk(chunk)
                    .chunks(chunks)
                    .beta1(settings.beta1())
                    .beta2(settings.beta2())
                    .oneMinusBeta1((float) (1 - (double) settings.beta1()))
                    .oneMinusBeta2((float) (1 - (double) settings.beta2()))
                    .logBeta1((float) Math.log(settings.beta1()))
                    .logBeta2((float) Math.log(settings.beta2()))
                    .epsilon(settings.epsilon())
                    .maxGradNorm(settings.maxGradNorm());
            if (chunks > 0) {
                kernels.launch(adamNorm, chunks, adamParams);
            }
            kernels.launch(adamPrepare, 1, adamParams.again());
            launch(adamUpdate, tiles(theta.length(), VECTOR), adamParams.again());
        }
    }
}
