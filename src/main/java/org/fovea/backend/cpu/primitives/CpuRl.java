// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cpu.primitives;

import java.util.Arrays;
import org.fovea.backend.cpu.kernels.Kernels;
import org.fovea.backend.cpu.kernels.scalar.ScalarMath;
import org.fovea.backend.cpu.memory.CpuArray;
import org.fovea.backend.cpu.memory.CpuMemory;
import org.fovea.backend.cpu.memory.RecordedSteps;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
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

/** Sampling, advantages, the policy loss and the optimiser's step. */
public final class CpuRl implements RlOps {
    private static final float HALF_LOG_2_PI = 0.9189385332f;

    /** Parameters that one piece updates; also the unit in which the norm is summed. */
    private static final int ADAM_RANGE = 1 << 13;

    private final CpuMemory memory;
    private final Kernels kernels;
    private final Workers workers;
    private final CpuSteps steps;
    private final RecordedSteps recorded;

    public CpuRl(CpuMemory memory, Kernels kernels, Workers workers) {
        this.memory = memory;
        this.kernels = kernels;
        this.workers = workers;
        this.steps = new CpuSteps(memory);
        this.recorded = memory.steps();
    }

    @Override
    public void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        CpuArray x = memory.use(logits);
        CpuArray action = memory.use(sampled);
        CpuArray logProb = memory.use(logProbs);
        CpuArray counter = draw.counter() == null ? null : memory.use(draw.counter());
        float[] uniforms = new float[Math.min(rows, PolicyColumns.ROWS)];
        int[] words = new int[4];
        recorded.run(() -> {
            long stream = draw.stream() + integerOrZero(counter);
            PolicyColumns columns = PolicyColumns.of(1, actions);
            for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
                int count = Math.min(PolicyColumns.ROWS, rows - start);
                columns.load(kernels, count, x.floats, x.offset + start * actions);
                Philox.fill(draw.seed(), stream, draw.first() + start, uniforms, 0, count, words);
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
        });
    }

    private static int integerOrZero(@Nullable CpuArray array) {
        return array == null ? 0 : array.ints[array.offset];
    }

    @Override
    public void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
        CpuArray from = memory.use(x);
        CpuArray to = memory.use(y);
        recorded.run(() -> {
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
        });
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
        RlChecks.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        CpuArray mu = memory.use(mean);
        CpuArray logSigma = memory.use(logStd);
        CpuArray action = memory.use(sampled);
        CpuArray logProb = memory.use(logProbs);
        CpuArray counter = draw.counter() == null ? null : memory.use(draw.counter());
        float[] uniforms = new float[2 * dim];
        int[] words = new int[4];
        recorded.run(() -> {
            long stream = draw.stream() + integerOrZero(counter);
            for (int r = 0; r < rows; r++) {
                Philox.fill(draw.seed(), stream, 2 * (draw.first() + r) * dim, uniforms, 0, 2 * dim, words);
                double sum = 0;
                for (int d = 0; d < dim; d++) {
                    double radius = Math.sqrt(-2 * Math.log(uniforms[2 * d]));
                    double normal = radius * Math.cos(2 * Math.PI * uniforms[2 * d + 1]);
                    float deviation = logSigma.floats[logSigma.offset + d];
                    int at = r * dim + d;
                    action.floats[action.offset + at] =
                            (float) (mu.floats[mu.offset + at] + Math.exp(deviation) * normal);
                    sum -= normal * normal / 2 + deviation + HALF_LOG_2_PI;
                }
                logProb.floats[logProb.offset + r] = (float) sum;
            }
        });
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
        recorded.cannotRecord();
        RlChecks.advantages(trajectories, advantages, returns);
        CpuArray reward = memory.use(trajectories.rewards());
        CpuArray value = memory.use(trajectories.values());
        CpuArray nextValue = memory.use(trajectories.nextValues());
        CpuArray ended = memory.use(trajectories.done());
        CpuArray advantage = memory.use(advantages);
        CpuArray toReturn = memory.use(returns);
        int steps = trajectories.steps();
        for (int e = 0; e < trajectories.environments(); e++) {
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
        recorded.cannotRecord();
        RlChecks.ppoCategorical(batch, parts, actions, logits, values, dLogits, dValues, statistics);
        PpoRows ppo = new PpoRows(kernels, loss, batch.map(memory::use), memory.use(values), memory.use(dValues));
        CpuArray x = memory.use(logits);
        CpuArray action = memory.use(batch.taken());
        CpuArray dx = memory.use(dLogits);
        int rows = batch.rows();
        for (int i = 0; i < rows * parts; i++) {
            int chosen = action.ints[action.offset + i];
            if (chosen < 0 || chosen >= actions) {
                throw new IndexOutOfBoundsException("ppoCategorical: action " + chosen + " in row " + i / parts
                        + (parts == 1 ? "" : ", part " + i % parts) + " is not one of " + actions);
            }
        }
        PolicyColumns columns = PolicyColumns.of(parts, actions);
        for (int start = 0; start < rows; start += PolicyColumns.ROWS) {
            int count = Math.min(PolicyColumns.ROWS, rows - start);
            columns.load(kernels, count, x.floats, x.offset + start * parts * actions);
            columns.entropy(count, ppo.entropies);
            for (int part = 0; part < parts; part++) {
                for (int r = 0; r < count; r++) {
                    int chosen = part * actions + action.ints[action.offset + (start + r) * parts + part];
                    float logProb = columns.logProbs[chosen * PolicyColumns.ROWS + r];
                    ppo.logProbs[r] = part == 0 ? logProb : ppo.logProbs[r] + logProb;
                }
            }
            ppo.block(start, count);
            for (int column = 0; column < parts * actions; column++) {
                int part = column / actions;
                int a = column % actions;
                for (int r = 0; r < count; r++) {
                    float p = columns.probs[column * PolicyColumns.ROWS + r];
                    float entropy = columns.entropies[part * PolicyColumns.ROWS + r];
                    float taking = action.ints[action.offset + (start + r) * parts + part] == a ? 1f : 0f;
                    float fromPolicy = ppo.dLogProbs[r] * (taking - p);
                    float fromEntropy = loss.entropyCoef() * (columns.pLogP(column, r) + p * entropy);
                    dx.floats[dx.offset + (start + r) * parts * actions + column] =
                            loss.rowWeight() * (fromPolicy + fromEntropy);
                }
            }
        }
        ppo.store(memory.use(statistics));
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
        recorded.cannotRecord();
        RlChecks.ppoGaussian(batch, mean, logStd, values, dMean, dLogStd, dValues, statistics);
        PpoRows ppo = new PpoRows(kernels, loss, batch.map(memory::use), memory.use(values), memory.use(dValues));
        CpuArray mu = memory.use(mean);
        CpuArray logSigma = memory.use(logStd);
        CpuArray action = memory.use(batch.taken());
        CpuArray dMu = memory.use(dMean);
        CpuArray toLogSigma = memory.use(dLogStd);
        int rows = batch.rows();
        int dim = logSigma.length;
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
        ppo.store(memory.use(statistics));
    }

    @Override
    public void flagDivergence(double limit, long rows, DeviceArray statistics, DeviceArray flag) {
        recorded.cannotRecord();
        RlChecks.flagDivergence(statistics, flag);
        CpuArray records = memory.use(statistics);
        CpuArray raised = memory.use(flag);
        double sum = 0;
        for (int i = PpoLoss.APPROXIMATE_KL; i < statistics.length(); i += PpoLoss.STATISTICS) {
            sum += records.floats[records.offset + i];
        }
        if (sum / rows > limit) {
            raised.floats[raised.offset] = 1;
        }
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
        recorded.cannotRecord();
        RlChecks.adam(parameters, gradients, decayed, firstMoment, secondMoment, state);
        CpuArray theta = memory.use(parameters);
        CpuArray gradient = memory.use(gradients);
        CpuArray m = memory.use(firstMoment);
        CpuArray v = memory.use(secondMoment);
        CpuArray s = memory.use(state);
        if (s.floats[s.offset + AdamSettings.SKIP] != 0) {
            return;
        }
        int ranges = (theta.length + ADAM_RANGE - 1) / ADAM_RANGE;
        double[] squares = new double[ranges];
        workers.run(ranges, 40L * theta.length, range -> {
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
        float decay = s.floats[s.offset + AdamSettings.LEARNING_RATE] * settings.weightDecay();
        CpuArray decaying = decayed == null ? null : memory.use(decayed);
        workers.run(ranges, 40L * theta.length, range -> {
            int from = range * ADAM_RANGE;
            if (decaying != null) {
                decay(decay, from, Math.min(ADAM_RANGE, theta.length - from), decaying, theta);
            }
            kernels.adam(update, from, Math.min(ADAM_RANGE, theta.length - from), gradient, m, v, theta);
        });
        s.floats[s.offset + AdamSettings.STEP] = step;
    }

    private static void decay(float decay, int from, int n, CpuArray decayed, CpuArray parameters) {
        float[] where = decayed.floats;
        float[] theta = parameters.floats;
        int wo = decayed.offset;
        int to = parameters.offset;
        for (int i = from; i < from + n; i++) {
            theta[to + i] -= decay * where[wo + i] * theta[to + i];
        }
    }
}
