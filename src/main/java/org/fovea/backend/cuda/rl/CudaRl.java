// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.rl;

import static org.fovea.backend.cuda.driver.CudaArray.requireApart;
import static org.fovea.backend.cuda.driver.CudaArray.requireApartOrSame;
import static org.fovea.backend.cuda.driver.Grid.VECTOR;
import static org.fovea.backend.cuda.driver.Grid.lanes;
import static org.fovea.backend.cuda.driver.Grid.summingBlocks;
import static org.fovea.backend.cuda.driver.Grid.tiles;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaKernels;
import org.fovea.backend.cuda.driver.CudaMemory;
import org.fovea.backend.cuda.driver.CudaScope;
import org.fovea.backend.cuda.params.AdamParams;
import org.fovea.backend.cuda.params.AdvantagesParams;
import org.fovea.backend.cuda.params.ArgmaxParams;
import org.fovea.backend.cuda.params.DivergenceParams;
import org.fovea.backend.cuda.params.PpoCategoricalParams;
import org.fovea.backend.cuda.params.PpoGaussianParams;
import org.fovea.backend.cuda.params.SampleCategoricalParams;
import org.fovea.backend.cuda.params.SampleGaussianParams;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.RlOps;
import org.fovea.backend.rl.StepArrays;
import org.fovea.backend.rl.StepClock;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.backend.rl.StepInputs;
import org.fovea.backend.rl.Trajectories;
import org.jspecify.annotations.Nullable;

/** Sampling, advantages, policy losses and the optimiser as kernel launches. */
public final class CudaRl implements RlOps {

    /** Numbers that adam_norm leaves for adam_update. */
    private static final int ADAM_STEP = 5;

    /** Fewest gradients of which one block sums the squares, and most blocks that do so. */
    private static final int ADAM_CHUNK = 4096;

    private static final int ADAM_CHUNKS = 1024;

    private final CudaMemory memory;
    private final CudaKernels kernels;
    private final CudaSteps steps;
    private final CudaKernels.Kernel argmax;
    private final CudaKernels.Kernel sampleCategorical;
    private final CudaKernels.Kernel sampleGaussian;
    private final CudaKernels.Kernel advantages;
    private final CudaKernels.Kernel ppoCategorical;
    private final CudaKernels.Kernel ppoGaussian;
    private final CudaKernels.Kernel flagDivergence;
    private final CudaKernels.Kernel adamNorm;
    private final CudaKernels.Kernel adamUpdate;
    private final ArgmaxParams argmaxParams;
    private final SampleCategoricalParams sampleCategoricalParams;
    private final SampleGaussianParams sampleGaussianParams;
    private final AdvantagesParams advantagesParams;
    private final PpoCategoricalParams ppoCategoricalParams;
    private final PpoGaussianParams ppoGaussianParams;
    private final DivergenceParams divergenceParams;
    private final AdamParams adamParams;

    public CudaRl(CudaMemory memory, CudaKernels kernels) {
        this.memory = memory;
        this.kernels = kernels;
        steps = new CudaSteps(memory, kernels);
        argmax = kernels.find("argmax");
        sampleCategorical = kernels.find("sample_categorical");
        sampleGaussian = kernels.find("sample_gaussian");
        advantages = kernels.find("advantages");
        ppoCategorical = kernels.find("ppo_categorical");
        ppoGaussian = kernels.find("ppo_gaussian");
        flagDivergence = kernels.find("flag_divergence", 1, 0);
        adamNorm = kernels.find("adam_norm");
        adamUpdate = kernels.find("adam_update");
        argmaxParams = new ArgmaxParams(kernels.parameters());
        sampleCategoricalParams = new SampleCategoricalParams(kernels.parameters());
        sampleGaussianParams = new SampleGaussianParams(kernels.parameters());
        advantagesParams = new AdvantagesParams(kernels.parameters());
        ppoCategoricalParams = new PpoCategoricalParams(kernels.parameters());
        ppoGaussianParams = new PpoGaussianParams(kernels.parameters());
        divergenceParams = new DivergenceParams(kernels.parameters());
        adamParams = new AdamParams(kernels.parameters());
    }

    @Override
    public void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
        CudaArray from = memory.floats("argmax", "x", x);
        CudaArray to = memory.resolve("argmax", "y", DType.I32, y);
        requireApart("argmax", to, from);
        kernels.launchElements(
                argmax,
                (long) rows * lanes(width),
                argmaxParams.x(from.address()).y(to.address()).rows(rows).width(width));
    }

    @Override
    public void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        String operation = "sampleCategorical";
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        CudaArray from = memory.floats(operation, "logits", logits);
        CudaArray action = memory.resolve(operation, "sampled", DType.I32, sampled);
        CudaArray logProb = memory.floats(operation, "logProbs", logProbs);
        requireApart(operation, action, from);
        requireApart(operation, logProb, from, action);
        sampleCategoricalParams
                .logits(from.address())
                .sampled(action.address())
                .logProbs(logProb.address())
                .counter(memory.addressOfIntegers(operation, "counter", draw.counter()))
                .rows(rows)
                .seed(draw.seed())
                .stream(draw.stream())
                .first(draw.first())
                .actions(actions);
        kernels.launchElements(sampleCategorical, (long) rows * lanes(actions), sampleCategoricalParams);
    }

    @Override
    public void sampleGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            RandomRange draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        String operation = "sampleGaussian";
        RlChecks.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        CudaArray means = memory.floats(operation, "mean", mean);
        CudaArray logStds = memory.floats(operation, "logStd", logStd);
        CudaArray action = memory.floats(operation, "sampled", sampled);
        CudaArray logProb = memory.floats(operation, "logProbs", logProbs);
        requireApartOrSame(operation, action, means);
        requireApart(operation, action, logStds);
        requireApart(operation, logProb, means, logStds, action);
        sampleGaussianParams
                .mean(means.address())
                .logStd(logStds.address())
                .sampled(action.address())
                .logProbs(logProb.address())
                .counter(memory.addressOfIntegers(operation, "counter", draw.counter()))
                .rows(rows)
                .seed(draw.seed())
                .stream(draw.stream())
                .first(draw.first())
                .dim(dim);
        kernels.launchElements(sampleGaussian, (long) rows * lanes(dim), sampleGaussianParams);
    }

    @Override
    public void advance(
            StepArrays<DeviceArray> step,
            StepClock clock,
            int origin,
            int streams,
            float gamma,
            DeviceArray ended,
            DeviceArray returns) {
        steps.advance(step, clock, origin, streams, gamma, ended, returns);
    }

    @Override
    public void encode(StepEncoding encoding, StepInputs inputs, DeviceArray encoded) {
        steps.encode(encoding, inputs, encoded);
    }

    @Override
    public void enumerate(DeviceArray flags, DeviceArray next, DeviceArray numbers) {
        steps.enumerate(flags, next, numbers);
    }

    @Override
    public void advantages(
            Trajectories<DeviceArray> trajectories,
            float gamma,
            float lambda,
            DeviceArray advantages,
            DeviceArray returns) {
        String operation = "advantages";
        RlChecks.advantages(trajectories, advantages, returns);
        CudaArray reward = memory.floats(operation, "rewards", trajectories.rewards());
        CudaArray value = memory.floats(operation, "values", trajectories.values());
        CudaArray nextValue = memory.floats(operation, "nextValues", trajectories.nextValues());
        CudaArray ended = memory.floats(operation, "done", trajectories.done());
        CudaArray advantage = memory.floats(operation, "advantages", advantages);
        CudaArray toReturn = memory.floats(operation, "returns", returns);
        requireApart(operation, advantage, reward, value, nextValue, ended);
        requireApart(operation, toReturn, reward, value, nextValue, ended, advantage);
        int environments = trajectories.environments();
        int steps = trajectories.steps();
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
        kernels.launchElements(this.advantages, steps == 0 ? 0 : (long) environments * lanes(steps), advantagesParams);
    }

    @Override
    public void ppoCategorical(
            PpoLoss loss,
            PpoBatch<DeviceArray> batch,
            int parts,
            int actions,
            DeviceArray logits,
            DeviceArray values,
            DeviceArray dLogits,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoCategorical";
        RlChecks.ppoCategorical(batch, parts, actions, logits, values, dLogits, dValues, statistics);
        CudaArray x = memory.floats(operation, "logits", logits);
        CudaArray action = memory.resolve(operation, "taken", DType.I32, batch.taken());
        CudaArray dx = memory.floats(operation, "dLogits", dLogits);
        PpoRows rows = ppoRows(operation, batch, values, dValues, statistics, x, action, dx);
        int blocks = Math.max(1, summingBlocks(batch.rows(), actions));
        try (CudaScope scope = memory.openScope()) {
            long partial = scope.scratch(DType.F32, (long) blocks * PpoLoss.STATISTICS);
            ppoCategoricalParams
                    .logits(x.address())
                    .taken(action.address())
                    .dLogits(dx.address())
                    .values(rows.value.address())
                    .oldLogProbs(rows.oldLogProb.address())
                    .advantages(rows.advantage.address())
                    .returns(rows.target.address())
                    .oldValues(rows.oldValue.address())
                    .dValues(rows.dValue.address())
                    .statistics(rows.statistics.address())
                    .partial(partial)
                    .counter(kernels.counters())
                    .rows(batch.rows())
                    .parts(parts)
                    .actions(actions)
                    .clip(rows.clip.address())
                    .entropyCoef(loss.entropyCoef())
                    .valueScale((float) ((double) loss.rowWeight() * loss.valueCoef()))
                    .valueClip(loss.valueClip())
                    .rowWeight(loss.rowWeight());
            kernels.launch(ppoCategorical, blocks, ppoCategoricalParams);
        }
    }

    @Override
    public void ppoGaussian(
            PpoLoss loss,
            PpoBatch<DeviceArray> batch,
            DeviceArray mean,
            DeviceArray logStd,
            DeviceArray values,
            DeviceArray dMean,
            DeviceArray dLogStd,
            DeviceArray dValues,
            DeviceArray statistics) {
        String operation = "ppoGaussian";
        RlChecks.ppoGaussian(batch, mean, logStd, values, dMean, dLogStd, dValues, statistics);
        CudaArray means = memory.floats(operation, "mean", mean);
        CudaArray logStds = memory.floats(operation, "logStd", logStd);
        CudaArray action = memory.floats(operation, "taken", batch.taken());
        CudaArray toMean = memory.floats(operation, "dMean", dMean);
        CudaArray toLogStd = memory.floats(operation, "dLogStd", dLogStd);
        PpoRows rows = ppoRows(operation, batch, values, dValues, statistics, means, logStds, action, toMean, toLogStd);
        requireApart(operation, toMean, means, logStds, action, toLogStd);
        int dim = (int) logStds.length();
        int blocks = Math.max(1, summingBlocks(batch.rows(), dim));
        try (CudaScope scope = memory.openScope()) {
            long partial = scope.scratch(DType.F32, (long) blocks * (PpoLoss.STATISTICS + dim));
            ppoGaussianParams
                    .mean(means.address())
                    .logStd(logStds.address())
                    .taken(action.address())
                    .dMean(toMean.address())
                    .values(rows.value.address())
                    .oldLogProbs(rows.oldLogProb.address())
                    .advantages(rows.advantage.address())
                    .returns(rows.target.address())
                    .oldValues(rows.oldValue.address())
                    .dValues(rows.dValue.address())
                    .statistics(rows.statistics.address())
                    .dLogStd(toLogStd.address())
                    .partial(partial)
                    .counter(kernels.counters())
                    .rows(batch.rows())
                    .dim(dim)
                    .clip(rows.clip.address())
                    .entropyCoef(loss.entropyCoef())
                    .valueScale((float) ((double) loss.rowWeight() * loss.valueCoef()))
                    .valueClip(loss.valueClip())
                    .rowWeight(loss.rowWeight());
            kernels.launch(ppoGaussian, blocks, ppoGaussianParams);
        }
    }

    /** The arrays that both losses have one number of per row, and their statistics. */
    private record PpoRows(
            CudaArray value,
            CudaArray oldLogProb,
            CudaArray advantage,
            CudaArray target,
            CudaArray oldValue,
            CudaArray clip,
            CudaArray dValue,
            CudaArray statistics) {}

    private PpoRows ppoRows(
            String operation,
            PpoBatch<DeviceArray> batch,
            DeviceArray values,
            DeviceArray dValues,
            DeviceArray statistics,
            CudaArray... others) {
        PpoRows rows = new PpoRows(
                memory.floats(operation, "values", values),
                memory.floats(operation, "oldLogProbs", batch.oldLogProbs()),
                memory.floats(operation, "advantages", batch.advantages()),
                memory.floats(operation, "returns", batch.returns()),
                memory.floats(operation, "oldValues", batch.oldValues()),
                memory.floats(operation, "clip", batch.clip()),
                memory.floats(operation, "dValues", dValues),
                memory.floats(operation, "statistics", statistics));
        requireApart(operation, rows.dValue, others);
        requireApart(operation, rows.statistics, others);
        requireApart(
                operation,
                rows.dValue,
                rows.value,
                rows.oldLogProb,
                rows.advantage,
                rows.target,
                rows.oldValue,
                rows.clip,
                rows.statistics);
        return rows;
    }

    @Override
    public void flagDivergence(double limit, long rows, DeviceArray statistics, DeviceArray flag) {
        RlChecks.flagDivergence(statistics, flag);
        CudaArray records = memory.floats("flagDivergence", "statistics", statistics);
        CudaArray raised = memory.floats("flagDivergence", "flag", flag);
        requireApart("flagDivergence", raised, records);
        divergenceParams
                .statistics(records.address())
                .flag(raised.address())
                .limit(limit)
                .rows(rows)
                .records((int) (records.length() / PpoLoss.STATISTICS));
        kernels.launch(flagDivergence, 1, divergenceParams);
    }

    @Override
    public void adam(
            AdamSettings settings,
            DeviceArray parameters,
            DeviceArray gradients,
            @Nullable DeviceArray decayed,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        RlChecks.adam(parameters, gradients, decayed, firstMoment, secondMoment, state);
        CudaArray theta = memory.floats("adam", "parameters", parameters);
        CudaArray gradient = memory.floats("adam", "gradients", gradients);
        CudaArray first = memory.floats("adam", "firstMoment", firstMoment);
        CudaArray second = memory.floats("adam", "secondMoment", secondMoment);
        CudaArray states = memory.floats("adam", "state", state);
        CudaArray decaying = decayed == null ? null : memory.floats("adam", "decayed", decayed);
        requireApart("adam", theta, gradient, first, second, states);
        requireApart("adam", first, gradient, second, states);
        requireApart("adam", second, gradient, states);
        requireApart("adam", states, gradient);
        if (decaying != null) {
            requireApart("adam", decaying, theta, first, second, states);
        }
        long chunk = tiles(Math.max(ADAM_CHUNK, tiles(theta.length(), ADAM_CHUNKS)), VECTOR) * VECTOR;
        int chunks = (int) Math.max(1, (theta.length() + chunk - 1) / chunk);
        try (CudaScope scope = memory.openScope()) {
            long step = scope.scratch(DType.F32, ADAM_STEP);
            long partial = scope.scratch(DType.F32, chunks);
            adamParams
                    .parameters(theta.address())
                    .gradients(gradient.address())
                    .decayed(decaying == null ? 0 : decaying.address())
                    .firstMoment(first.address())
                    .secondMoment(second.address())
                    .state(states.address())
                    .step(step)
                    .partial(partial)
                    .counter(kernels.counters())
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
                    .maxGradNorm(settings.maxGradNorm())
                    .weightDecay(settings.weightDecay());
            kernels.launch(adamNorm, chunks, adamParams);
            kernels.launchElements(adamUpdate, tiles(theta.length(), VECTOR), adamParams.again());
        }
    }
}
