package org.fovea.backend.cpu.primitives;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.kernels.scalar.ScalarMath;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.RlChecks;
import org.fovea.backend.rl.RlOps;

/** Sampling, advantages, the policy loss and the optimiser's step. */
public abstract class CpuRl extends CpuRows implements RlOps {
    private static final float HALF_LOG_2_PI = 0.9189385332f;

    protected CpuRl(Kernels kernels, Workers workers) {
        super(kernels, workers);
    }

    @Override
    public final void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        CpuArray x = use(logits);
        CpuArray action = use(sampled);
        CpuArray logProb = use(logProbs);
        long stream = stream(draw);
        PolicyColumns columns = PolicyColumns.of(actions);
        float[] uniforms = new float[Math.min(rows, PolicyColumns.ROWS)];
        for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
            int count = Math.min(PolicyColumns.ROWS, rows - start);
            columns.load(kernels, count, x.floats, x.offset + start * actions);
            Philox.fill(draw.seed(), stream, draw.first() + start, uniforms, 0, count);
            for (int r = 0; r < count; r++) {
                float cumulative = 0;
                int chosen = 0;
                for (int a = 0; a < actions && cumulative < uniforms[r]; a++) {
                    float p = columns.probs[a * PolicyColumns.ROWS + r];
                    cumulative += p;
                    if (p > 0) {
                        chosen = a;
                    }
                }
                action.ints[action.offset + start + r] = chosen;
                logProb.floats[logProb.offset + start + r] = columns.logProbs[chosen * PolicyColumns.ROWS + r];
            }
        }
    }

    @Override
    public final void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
        CpuArray from = use(x);
        CpuArray to = use(y);
        for (int r = 0; r < rows; r++) {
            int row = from.offset + r * width;
            int best = 0;
            for (int i = 1; i < width; i++) {
                if (from.floats[row + i] > from.floats[row + best]) {
                    best = i;
                }
            }
            to.ints[to.offset + r] = best;
        }
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
        RlChecks.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        CpuArray mu = use(mean);
        CpuArray logSigma = use(logStd);
        CpuArray action = use(sampled);
        CpuArray logProb = use(logProbs);
        long stream = stream(draw);
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int d = 0; d < dim; d++) {
                long number = 2 * ((draw.first() + r) * dim + d);
                double radius = Math.sqrt(-2 * Math.log(Philox.uniform(draw.seed(), stream, number)));
                double normal = radius * Math.cos(2 * Math.PI * Philox.uniform(draw.seed(), stream, number + 1));
                float deviation = logSigma.floats[logSigma.offset + d];
                int at = r * dim + d;
                action.floats[action.offset + at] = (float) (mu.floats[mu.offset + at] + Math.exp(deviation) * normal);
                sum -= normal * normal / 2 + deviation + HALF_LOG_2_PI;
            }
            logProb.floats[logProb.offset + r] = (float) sum;
        }
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
        RlChecks.advantages(environments, steps, rewards, values, nextValues, done, advantages, returns);
        CpuArray reward = use(rewards);
        CpuArray value = use(values);
        CpuArray nextValue = use(nextValues);
        CpuArray ended = use(done);
        CpuArray advantage = use(advantages);
        CpuArray toReturn = use(returns);
        for (int e = 0; e < environments; e++) {
            float following = 0;
            for (int i = (e + 1) * steps - 1; i >= e * steps; i--) {
                float v = value.floats[value.offset + i];
                float delta = reward.floats[reward.offset + i] + gamma * nextValue.floats[nextValue.offset + i] - v;
                following = delta + gamma * lambda * (1 - ended.floats[ended.offset + i]) * following;
                advantage.floats[advantage.offset + i] = following;
                toReturn.floats[toReturn.offset + i] = following + v;
            }
        }
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
        PpoRows ppo = new PpoRows(
                kernels,
                loss,
                use(values),
                use(oldLogProbs),
                use(advantages),
                use(returns),
                use(oldValues),
                use(dValues));
        CpuArray x = use(logits);
        CpuArray action = use(taken);
        CpuArray dx = use(dLogits);
        for (int r = 0; r < rows; r++) {
            int chosen = action.ints[action.offset + r];
            if (chosen < 0 || chosen >= actions) {
                throw new IndexOutOfBoundsException(
                        "ppoCategorical: action " + chosen + " in row " + r + " is not one of " + actions);
            }
        }
        PolicyColumns columns = PolicyColumns.of(actions);
        for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
            int count = Math.min(PolicyColumns.ROWS, rows - start);
            columns.load(kernels, count, x.floats, x.offset + start * actions);
            columns.entropy(count, ppo.entropies);
            for (int r = 0; r < count; r++) {
                int chosen = action.ints[action.offset + start + r];
                ppo.logProbs[r] = columns.logProbs[chosen * PolicyColumns.ROWS + r];
            }
            ppo.block(start, count);
            for (int a = 0; a < actions; a++) {
                for (int r = 0; r < count; r++) {
                    float p = columns.probs[a * PolicyColumns.ROWS + r];
                    float taking = action.ints[action.offset + start + r] == a ? 1f : 0f;
                    float fromPolicy = ppo.dLogProbs[r] * (taking - p);
                    float fromEntropy = loss.entropyCoef() * (columns.pLogP(a, r) + p * ppo.entropies[r]);
                    dx.floats[dx.offset + (start + r) * actions + a] = loss.rowWeight() * (fromPolicy + fromEntropy);
                }
            }
        }
        ppo.store(use(statistics));
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
        PpoRows ppo = new PpoRows(
                kernels,
                loss,
                use(values),
                use(oldLogProbs),
                use(advantages),
                use(returns),
                use(oldValues),
                use(dValues));
        CpuArray mu = use(mean);
        CpuArray logSigma = use(logStd);
        CpuArray action = use(taken);
        CpuArray dMu = use(dMean);
        CpuArray toLogSigma = use(dLogStd);
        float[] reciprocalStd = new float[dim];
        double[] dLogSigma = new double[dim];
        float constant = 0;
        float entropy = 0;
        for (int d = 0; d < dim; d++) {
            float deviation = logSigma.floats[logSigma.offset + d];
            reciprocalStd[d] = ScalarMath.exp(-deviation);
            constant -= deviation + HALF_LOG_2_PI;
            entropy += deviation + 0.5f + HALF_LOG_2_PI;
        }
        Arrays.fill(ppo.entropies, entropy);
        for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
            int count = Math.min(PolicyColumns.ROWS, rows - start);
            // The gradient's place holds the standardised actions until the gradient by log-probability is known.
            for (int r = 0; r < count; r++) {
                float squares = 0;
                for (int d = 0; d < dim; d++) {
                    int at = (start + r) * dim + d;
                    float z = (action.floats[action.offset + at] - mu.floats[mu.offset + at]) * reciprocalStd[d];
                    squares += z * z;
                    dMu.floats[dMu.offset + at] = z;
                }
                ppo.logProbs[r] = constant - squares / 2;
            }
            ppo.block(start, count);
            for (int r = 0; r < count; r++) {
                for (int d = 0; d < dim; d++) {
                    int at = dMu.offset + (start + r) * dim + d;
                    float z = dMu.floats[at];
                    dMu.floats[at] = loss.rowWeight() * ppo.dLogProbs[r] * z * reciprocalStd[d];
                    dLogSigma[d] += ppo.dLogProbs[r] * (z * z - 1) - loss.entropyCoef();
                }
            }
        }
        for (int d = 0; d < dim; d++) {
            toLogSigma.floats[toLogSigma.offset + d] = (float) (loss.rowWeight() * dLogSigma[d]);
        }
        ppo.store(use(statistics));
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
        CpuArray theta = use(parameters);
        CpuArray gradient = use(gradients);
        CpuArray m = use(firstMoment);
        CpuArray v = use(secondMoment);
        CpuArray s = use(state);
        if (s.floats[s.offset + AdamSettings.SKIP] != 0) {
            return;
        }
        int ranges = (theta.length + ADAM_RANGE - 1) / ADAM_RANGE;
        double[] squares = new double[ranges];
        pieces(ranges, 40L * theta.length, range -> {
            int from = range * ADAM_RANGE;
            squares[range] = kernels.sumOfSquares(
                    gradient.floats, gradient.offset + from, Math.min(ADAM_RANGE, theta.length - from));
        });
        double sum = 0;
        for (double square : squares) {
            sum += square;
        }
        double norm = Math.sqrt(sum);
        s.floats[s.offset + AdamSettings.GRADIENT_NORM] = (float) norm;
        if (!Float.isFinite((float) norm)) {
            s.floats[s.offset + AdamSettings.SKIP] = 1;
            return;
        }
        float clip = norm > settings.maxGradNorm() ? (float) (settings.maxGradNorm() / norm) : 1f;
        float step = s.floats[s.offset + AdamSettings.STEP] + 1;
        Kernels.AdamUpdate update = new Kernels.AdamUpdate(
                clip,
                settings.beta1(),
                settings.beta2(),
                (float) (s.floats[s.offset + AdamSettings.LEARNING_RATE] / (1 - Math.pow(settings.beta1(), step))),
                (float) (1 / Math.sqrt(1 - Math.pow(settings.beta2(), step))),
                settings.epsilon());
        pieces(ranges, 40L * theta.length, range -> {
            int from = range * ADAM_RANGE;
            kernels.adam(
                    update,
                    Math.min(ADAM_RANGE, theta.length - from),
                    gradient.floats,
                    gradient.offset + from,
                    m.floats,
                    m.offset + from,
                    v.floats,
                    v.offset + from,
                    theta.floats,
                    theta.offset + from);
        });
        s.floats[s.offset + AdamSettings.STEP] = step;
    }

    /** Parameters that one piece updates; also the unit in which the norm is summed. */
    private static final int ADAM_RANGE = 1 << 13;
}
