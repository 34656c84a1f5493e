// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.reference;

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

/** Sampling, advantages, the PPO loss and Adam, from their formulas. */
final class ReferenceRl implements RlOps {
    private static final double LOG_2_PI = Math.log(2 * Math.PI);

    private final ReferenceMemory memory;
    private final ReferenceSteps steps;

    ReferenceRl(ReferenceMemory memory) {
        this.memory = memory;
        this.steps = new ReferenceSteps(memory);
    }

    @Override
    public void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        ReferenceArray x = memory.use(logits);
        ReferenceArray action = memory.use(sampled);
        ReferenceArray logProb = memory.use(logProbs);
        long stream = draw.stream() + memory.integerOrZero(draw.counter());
        for (int r = 0; r < rows; r++) {
            double[] row = x.row(r, actions);
            double lse = Functions.logSumExp(row);
            double uniform = Philox.uniform(draw.seed(), stream, draw.first() + r);
            double cumulative = 0;
            int chosen = 0;
            for (int a = 0; a < actions && cumulative < uniform; a++) {
                double p = Math.exp(row[a] - lse);
                cumulative += p;
                if (p > 0) {
                    chosen = a;
                }
            }
            action.set(r, chosen);
            logProb.set(r, row[chosen] - lse);
        }
    }

    @Override
    public void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
        ReferenceArray from = memory.use(x);
        ReferenceArray to = memory.use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = from.row(r, width);
            int best = 0;
            for (int i = 1; i < width; i++) {
                if (row[i] > row[best]) {
                    best = i;
                }
            }
            to.set(r, best);
        }
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
        ReferenceArray mu = memory.use(mean);
        ReferenceArray logSigma = memory.use(logStd);
        ReferenceArray action = memory.use(sampled);
        ReferenceArray logProb = memory.use(logProbs);
        long stream = draw.stream() + memory.integerOrZero(draw.counter());
        for (int r = 0; r < rows; r++) {
            double sum = 0;
            for (int d = 0; d < dim; d++) {
                long number = 2 * ((draw.first() + r) * dim + d);
                double radius = Math.sqrt(-2 * Math.log(Philox.uniform(draw.seed(), stream, number)));
                double normal = radius * Math.cos(2 * Math.PI * Philox.uniform(draw.seed(), stream, number + 1));
                action.set(r * dim + d, mu.get(r * dim + d) + Math.exp(logSigma.get(d)) * normal);
                sum += -normal * normal / 2 - logSigma.get(d) - LOG_2_PI / 2;
            }
            logProb.set(r, sum);
        }
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
        RlChecks.advantages(trajectories, advantages, returns);
        ReferenceArray reward = memory.use(trajectories.rewards());
        ReferenceArray value = memory.use(trajectories.values());
        ReferenceArray nextValue = memory.use(trajectories.nextValues());
        ReferenceArray ended = memory.use(trajectories.done());
        ReferenceArray advantage = memory.use(advantages);
        ReferenceArray toReturn = memory.use(returns);
        int steps = trajectories.steps();
        for (int e = 0; e < trajectories.environments(); e++) {
            double following = 0;
            for (int t = steps - 1; t >= 0; t--) {
                int i = e * steps + t;
                double delta = reward.get(i) + (double) gamma * nextValue.get(i) - value.get(i);
                following = delta + (double) gamma * lambda * (1 - ended.get(i)) * following;
                advantage.set(i, following);
                toReturn.set(i, following + value.get(i));
            }
        }
    }

    /** The terms of the loss that do not depend on the kind of policy, row by row. */
    private static final class PpoRows {
        final PpoLoss loss;
        final double clip;
        final double[] statistics = new double[PpoLoss.STATISTICS];

        PpoRows(PpoLoss loss, PpoBatch<ReferenceArray> played) {
            this.loss = loss;
            this.clip = played.clip().get(0);
        }

        /** Adds a row's policy loss, and returns its derivative by the log-probability. */
        double policy(double logProb, double oldLogProb, double advantage) {
            double ratio = Math.exp(logProb - oldLogProb);
            double clipped = Math.max(1 - clip, Math.min(1 + clip, ratio));
            double plain = -advantage * ratio;
            double bounded = -advantage * clipped;
            statistics[PpoLoss.POLICY_LOSS] += Math.max(plain, bounded);
            statistics[PpoLoss.APPROXIMATE_KL] += ratio - 1 - (logProb - oldLogProb);
            statistics[PpoLoss.CLIPPED] += clipped == ratio ? 0 : 1;
            statistics[PpoLoss.MAX_RATIO_DEVIATION] =
                    Math.max(statistics[PpoLoss.MAX_RATIO_DEVIATION], Math.abs(ratio - 1));
            return plain >= bounded ? plain : 0;
        }

        /** Adds a row's value loss, and returns its derivative by the value. */
        double value(double value, double target, double oldValue) {
            double plain = (value - target) * (value - target) / 2;
            if (loss.valueClip() <= 0) {
                statistics[PpoLoss.VALUE_LOSS] += plain;
                return value - target;
            }
            double change = value - oldValue;
            double limit = loss.valueClip();
            double limited = oldValue + Math.max(-limit, Math.min(limit, change)) - target;
            statistics[PpoLoss.VALUE_LOSS] += Math.max(plain, limited * limited / 2);
            boolean moves = Math.abs(change) <= limit || plain >= limited * limited / 2;
            return moves ? value - target : 0;
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
        RlChecks.ppoCategorical(batch, parts, actions, logits, values, dLogits, dValues, statistics);
        PpoBatch<ReferenceArray> played = batch.map(memory::use);
        ReferenceArray x = memory.use(logits);
        ReferenceArray action = played.taken();
        ReferenceArray dX = memory.use(dLogits);
        PpoRows ppo = new PpoRows(loss, played);
        for (int r = 0; r < played.rows(); r++) {
            double logProb = 0;
            for (int part = r * parts; part < (r + 1) * parts; part++) {
                double[] row = x.row(part, actions);
                logProb += row[action.integer(part)] - Functions.logSumExp(row);
                ppo.statistics[PpoLoss.ENTROPY] += entropy(row);
            }
            double dLogProb = ppo.policy(
                    logProb, played.oldLogProbs().get(r), played.advantages().get(r));
            for (int part = r * parts; part < (r + 1) * parts; part++) {
                double[] row = x.row(part, actions);
                double lse = Functions.logSumExp(row);
                for (int a = 0; a < actions; a++) {
                    double p = Math.exp(row[a] - lse);
                    double fromPolicy = dLogProb * ((a == action.integer(part) ? 1 : 0) - p);
                    double fromEntropy = loss.entropyCoef() * (pLogP(row[a] - lse) + p * entropy(row));
                    dX.set(part * actions + a, loss.rowWeight() * (fromPolicy + fromEntropy));
                }
            }
            value(ppo, r, played, memory.use(values), memory.use(dValues));
        }
        memory.use(statistics).setAll(ppo.statistics);
    }

    private static double entropy(double[] logits) {
        double lse = Functions.logSumExp(logits);
        double entropy = 0;
        for (double logit : logits) {
            entropy -= pLogP(logit - lse);
        }
        return entropy;
    }

    private static double pLogP(double logP) {
        return logP == Double.NEGATIVE_INFINITY ? 0 : Math.exp(logP) * logP;
    }

    private static void value(
            PpoRows ppo, int r, PpoBatch<ReferenceArray> played, ReferenceArray values, ReferenceArray dValues) {
        double derivative = ppo.value(
                values.get(r), played.returns().get(r), played.oldValues().get(r));
        dValues.set(r, (double) ppo.loss.rowWeight() * ppo.loss.valueCoef() * derivative);
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
        RlChecks.ppoGaussian(batch, mean, logStd, values, dMean, dLogStd, dValues, statistics);
        PpoBatch<ReferenceArray> played = batch.map(memory::use);
        ReferenceArray mu = memory.use(mean);
        ReferenceArray logSigma = memory.use(logStd);
        ReferenceArray action = played.taken();
        ReferenceArray dMu = memory.use(dMean);
        int dim = logSigma.size();
        double[] dLogSigma = new double[dim];
        PpoRows ppo = new PpoRows(loss, played);
        for (int r = 0; r < played.rows(); r++) {
            double logProb = 0;
            double entropy = 0;
            for (int d = 0; d < dim; d++) {
                double z = (action.get(r * dim + d) - mu.get(r * dim + d)) / Math.exp(logSigma.get(d));
                logProb += -z * z / 2 - logSigma.get(d) - LOG_2_PI / 2;
                entropy += logSigma.get(d) + (1 + LOG_2_PI) / 2;
            }
            ppo.statistics[PpoLoss.ENTROPY] += entropy;
            double dLogProb = ppo.policy(
                    logProb, played.oldLogProbs().get(r), played.advantages().get(r));
            for (int d = 0; d < dim; d++) {
                double sigma = Math.exp(logSigma.get(d));
                double z = (action.get(r * dim + d) - mu.get(r * dim + d)) / sigma;
                dMu.set(r * dim + d, loss.rowWeight() * dLogProb * z / sigma);
                dLogSigma[d] += loss.rowWeight() * (dLogProb * (z * z - 1) - loss.entropyCoef());
            }
            value(ppo, r, played, memory.use(values), memory.use(dValues));
        }
        memory.use(dLogStd).setAll(dLogSigma);
        memory.use(statistics).setAll(ppo.statistics);
    }

    @Override
    public void flagDivergence(double limit, long rows, DeviceArray statistics, DeviceArray flag) {
        RlChecks.flagDivergence(statistics, flag);
        ReferenceArray records = memory.use(statistics);
        ReferenceArray raised = memory.use(flag);
        double sum = 0;
        for (int i = PpoLoss.APPROXIMATE_KL; i < statistics.length(); i += PpoLoss.STATISTICS) {
            sum += records.get(i);
        }
        if (sum / rows > limit) {
            raised.set(0, 1);
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
        RlChecks.adam(parameters, gradients, decayed, firstMoment, secondMoment, state);
        ReferenceArray theta = memory.use(parameters);
        ReferenceArray gradient = memory.use(gradients);
        ReferenceArray m = memory.use(firstMoment);
        ReferenceArray v = memory.use(secondMoment);
        ReferenceArray s = memory.use(state);
        if (s.get(AdamSettings.SKIP) != 0) {
            return;
        }
        double squares = 0;
        for (int i = 0; i < gradient.size(); i++) {
            squares += gradient.get(i) * gradient.get(i);
        }
        double norm = Math.sqrt(squares);
        s.set(AdamSettings.GRADIENT_NORM, norm);
        if (!Double.isFinite(norm)) {
            s.set(AdamSettings.SKIP, 1);
            return;
        }
        double scale = norm > settings.maxGradNorm() ? settings.maxGradNorm() / norm : 1;
        double step = s.get(AdamSettings.STEP) + 1;
        double beta1 = settings.beta1();
        double beta2 = settings.beta2();
        for (int i = 0; i < theta.size(); i++) {
            if (decayed != null) {
                double share = s.get(AdamSettings.LEARNING_RATE) * settings.weightDecay();
                theta.add(i, -share * memory.use(decayed).get(i) * theta.get(i));
            }
            double g = scale * gradient.get(i);
            m.set(i, beta1 * m.get(i) + (1 - beta1) * g);
            v.set(i, beta2 * v.get(i) + (1 - beta2) * g * g);
            double mean = m.get(i) / (1 - Math.pow(beta1, step));
            double uncentred = v.get(i) / (1 - Math.pow(beta2, step));
            theta.add(i, -s.get(AdamSettings.LEARNING_RATE) * mean / (Math.sqrt(uncentred) + settings.epsilon()));
        }
        s.set(AdamSettings.STEP, step);
    }
}
