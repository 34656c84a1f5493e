package org.fovea.backend.reference;

import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.RlChecks;
import org.jspecify.annotations.Nullable;

/** Sampling, advantages, the PPO loss and Adam, from their formulas. */
abstract class ReferenceRl extends ReferenceAttention {

    private static final double LOG_2_PI = Math.log(2 * Math.PI);

    ReferenceRl(DType floatType, @Nullable DType rounded, double factors) {
        super(floatType, rounded, factors);
    }

    @Override
    public final void sampleCategorical(
            int rows, int actions, DeviceArray logits, RandomRange draw, DeviceArray sampled, DeviceArray logProbs) {
        RlChecks.sampleCategorical(rows, actions, logits, draw, sampled, logProbs);
        ReferenceArray x = use(logits);
        ReferenceArray action = use(sampled);
        ReferenceArray logProb = use(logProbs);
        long stream = stream(draw);
        for (int r = 0; r < rows; r++) {
            double[] row = row(x, r, actions);
            double lse = logSumExp(row);
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
    public final void argmax(int rows, int width, DeviceArray x, DeviceArray y) {
        RlChecks.argmax(rows, width, x, y);
        ReferenceArray from = use(x);
        ReferenceArray to = use(y);
        for (int r = 0; r < rows; r++) {
            double[] row = row(from, r, width);
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
    public final void sampleGaussian(
            int rows,
            int dim,
            DeviceArray mean,
            DeviceArray logStd,
            RandomRange draw,
            DeviceArray sampled,
            DeviceArray logProbs) {
        RlChecks.sampleGaussian(rows, dim, mean, logStd, draw, sampled, logProbs);
        ReferenceArray mu = use(mean);
        ReferenceArray logSigma = use(logStd);
        ReferenceArray action = use(sampled);
        ReferenceArray logProb = use(logProbs);
        long stream = stream(draw);
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
        ReferenceArray reward = use(rewards);
        ReferenceArray value = use(values);
        ReferenceArray nextValue = use(nextValues);
        ReferenceArray ended = use(done);
        ReferenceArray advantage = use(advantages);
        ReferenceArray toReturn = use(returns);
        for (int e = 0; e < environments; e++) {
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
        final double[] statistics = new double[PpoLoss.STATISTICS];

        PpoRows(PpoLoss loss) {
            this.loss = loss;
        }

        /** Adds a row's policy loss, and returns its derivative by the log-probability. */
        double policy(double logProb, double oldLogProb, double advantage) {
            double ratio = Math.exp(logProb - oldLogProb);
            double clipped = Math.max(1 - (double) loss.clip(), Math.min(1 + (double) loss.clip(), ratio));
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
        ReferenceArray x = use(logits);
        ReferenceArray action = use(taken);
        ReferenceArray dX = use(dLogits);
        PpoRows ppo = new PpoRows(loss);
        for (int r = 0; r < rows; r++) {
            double[] row = row(x, r, actions);
            double lse = logSumExp(row);
            double entropy = 0;
            for (double logit : row) {
                entropy -= pLogP(logit - lse);
            }
            ppo.statistics[PpoLoss.ENTROPY] += entropy;
            double logProb = row[action.integer(r)] - lse;
            double dLogProb =
                    ppo.policy(logProb, use(oldLogProbs).get(r), use(advantages).get(r));
            for (int a = 0; a < actions; a++) {
                double p = Math.exp(row[a] - lse);
                double fromPolicy = dLogProb * ((a == action.integer(r) ? 1 : 0) - p);
                double fromEntropy = loss.entropyCoef() * (pLogP(row[a] - lse) + p * entropy);
                dX.set(r * actions + a, loss.rowWeight() * (fromPolicy + fromEntropy));
            }
            value(ppo, r, values, returns, oldValues, dValues);
        }
        store(ppo.statistics, use(statistics));
    }

    private static double pLogP(double logP) {
        return logP == Double.NEGATIVE_INFINITY ? 0 : Math.exp(logP) * logP;
    }

    private void value(
            PpoRows ppo, int r, DeviceArray values, DeviceArray returns, DeviceArray oldValues, DeviceArray dValues) {
        double derivative = ppo.value(
                use(values).get(r), use(returns).get(r), use(oldValues).get(r));
        use(dValues).set(r, (double) ppo.loss.rowWeight() * ppo.loss.valueCoef() * derivative);
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
        ReferenceArray mu = use(mean);
        ReferenceArray logSigma = use(logStd);
        ReferenceArray action = use(taken);
        ReferenceArray dMu = use(dMean);
        double[] dLogSigma = new double[dim];
        PpoRows ppo = new PpoRows(loss);
        for (int r = 0; r < rows; r++) {
            double logProb = 0;
            double entropy = 0;
            for (int d = 0; d < dim; d++) {
                double z = (action.get(r * dim + d) - mu.get(r * dim + d)) / Math.exp(logSigma.get(d));
                logProb += -z * z / 2 - logSigma.get(d) - LOG_2_PI / 2;
                entropy += logSigma.get(d) + (1 + LOG_2_PI) / 2;
            }
            ppo.statistics[PpoLoss.ENTROPY] += entropy;
            double dLogProb =
                    ppo.policy(logProb, use(oldLogProbs).get(r), use(advantages).get(r));
            for (int d = 0; d < dim; d++) {
                double sigma = Math.exp(logSigma.get(d));
                double z = (action.get(r * dim + d) - mu.get(r * dim + d)) / sigma;
                dMu.set(r * dim + d, loss.rowWeight() * dLogProb * z / sigma);
                dLogSigma[d] += loss.rowWeight() * (dLogProb * (z * z - 1) - loss.entropyCoef());
            }
            value(ppo, r, values, returns, oldValues, dValues);
        }
        store(dLogSigma, use(dLogStd));
        store(ppo.statistics, use(statistics));
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
        ReferenceArray theta = use(parameters);
        ReferenceArray gradient = use(gradients);
        ReferenceArray m = use(firstMoment);
        ReferenceArray v = use(secondMoment);
        ReferenceArray s = use(state);
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
