package org.fovea.backend.cuda.rl;

import org.fovea.backend.cuda.driver.CudaArray;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.Kernels;
import org.fovea.backend.cuda.params.AdamParams;
import org.fovea.backend.cuda.params.AdvantagesParams;
import org.fovea.backend.cuda.params.ArgmaxParams;
import org.fovea.backend.cuda.params.SampleCategoricalParams;
import org.fovea.backend.cuda.params.SampleGaussianParams;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.RlOps;

/** Sampling, advantages and the optimiser as kernel launches. */
public abstract class CudaRl extends CudaPolicyLoss implements RlOps {

    /** Fewest gradients of which one block sums the squares, and most blocks that do so. */
    private static final int ADAM_CHUNK = 4096;

    private static final int ADAM_CHUNKS = 1024;

    private final Kernels.Kernel argmax;
    private final Kernels.Kernel sampleCategorical;
    private final Kernels.Kernel sampleGaussian;
    private final Kernels.Kernel advantages;
    private final Kernels.Kernel adamNorm;
    private final Kernels.Kernel adamPrepare;
    private final Kernels.Kernel adamUpdate;
    private final ArgmaxParams argmaxParams;
    private final SampleCategoricalParams sampleCategoricalParams;
    private final SampleGaussianParams sampleGaussianParams;
    private final AdvantagesParams advantagesParams;
    private final AdamParams adamParams;

    protected CudaRl(CudaContext context) {
        super(context);
        argmax = kernels.find("argmax", THREADS, 0);
        sampleCategorical = kernels.find("sample_categorical", THREADS, 0);
        sampleGaussian = kernels.find("sample_gaussian", THREADS, 0);
        advantages = kernels.find("advantages", THREADS, 0);
        adamNorm = kernels.find("adam_norm", THREADS, 0);
        adamPrepare = kernels.find("adam_prepare", THREADS, 0);
        adamUpdate = kernels.find("adam_update", THREADS, 0);
        argmaxParams = new ArgmaxParams(kernels.parameters());
        sampleCategoricalParams = new SampleCategoricalParams(kernels.parameters());
        sampleGaussianParams = new SampleGaussianParams(kernels.parameters());
        advantagesParams = new AdvantagesParams(kernels.parameters());
        adamParams = new AdamParams(kernels.parameters());
    }

    @Override
    public final void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
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
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        String operation = "sampleCategorical";
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
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
            RandomRange draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        String operation = "sampleGaussian";
        RlChecks.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
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
        RlChecks.advantages(environments, steps, rewards, values, nextValues, done, advantages, returns);
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
    public final void adam(
            AdamSettings settings,
            DeviceArray parameters,
            DeviceArray gradients,
            DeviceArray firstMoment,
            DeviceArray secondMoment,
            DeviceArray state) {
        RlChecks.adam(parameters, gradients, firstMoment, secondMoment, state);
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
