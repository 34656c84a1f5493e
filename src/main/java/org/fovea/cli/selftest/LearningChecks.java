package org.fovea.cli.selftest;

import java.util.Arrays;
import java.util.List;
import org.fovea.backend.AdamSettings;
import org.fovea.backend.DeviceArray;
import org.fovea.backend.Draw;
import org.fovea.backend.Philox;
import org.fovea.backend.PpoLoss;

/** Sampling of actions, advantages, the policy loss with its gradients, and the optimiser. */
final class LearningChecks {
    private static final double LOG_2_PI = Math.log(2 * Math.PI);

    private LearningChecks() {}

    static List<Check> all() {
        return List.of(
                new Check("sampled choices", LearningChecks::choices),
                new Check("sampled normals", LearningChecks::normals),
                new Check("advantages", LearningChecks::advantages),
                new Check("PPO's loss, choices", LearningChecks::categoricalLoss),
                new Check("PPO's loss, normals", LearningChecks::gaussianLoss),
                new Check("Adam", LearningChecks::adam));
    }

    private static double logSumExp(double[] x, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += Math.exp(x[i]);
        }
        return Math.log(sum);
    }

    private static void choices(Trial t) {
        for (int[] s : t.choose(new int[][] {{1, 1}, {97, 3}, {13, 31}}, new int[][] {{70_001, 5}, {97, 207}})) {
            int rows = s[0];
            int actions = s[1];
            double[] logits = t.normal(rows * actions);
            DeviceArray sampled = t.intOutput(rows);
            DeviceArray logProbs = t.output(rows);
            t.backend().sampleCategorical(rows, actions, t.floats(logits), new Draw(3, 4, 5), sampled, logProbs);
            int[] found = t.downloadInts(sampled);
            double[] expected = new double[rows];
            int[] largest = new int[rows];
            for (int row = 0; row < rows; row++) {
                double sum = logSumExp(logits, row * actions, actions);
                double number = Philox.uniform(3, 4, 5 + row);
                if (found[row] < 0 || found[row] >= actions) {
                    throw new WrongResultException(
                            "sampled action of row " + row + " is " + found[row] + ", expected 0 to " + (actions - 1));
                }
                double before = 0;
                for (int a = 0; a < found[row]; a++) {
                    before += Math.exp(logits[row * actions + a] - sum);
                }
                double after = before + Math.exp(logits[row * actions + found[row]] - sum);
                double slack = 64 * Trial.UNIT;
                if (number < before - slack || number > after + slack) {
                    throw new WrongResultException(
                            "sampled action of row " + row + " is " + found[row] + ", whose share of the line is "
                                    + before + " to " + after + ", expected one with " + number);
                }
                expected[row] = logits[row * actions + found[row]] - sum;
                for (int a = 1; a < actions; a++) {
                    largest[row] = logits[row * actions + a] > logits[row * actions + largest[row]] ? a : largest[row];
                }
            }
            t.near("log-probabilities of " + Arrays.toString(s), logProbs, expected, 16 + Math.sqrt(actions));
            t.backend().argmax(rows, actions, t.floats(logits), sampled);
            t.equal("argmax of " + Arrays.toString(s), sampled, largest);
        }
    }

    private static void normals(Trial t) {
        int rows = t.choose(97, 70_001);
        int dim = 3;
        double[] mean = t.normal(rows * dim);
        double[] logStd = {-0.5, 0, 0.25};
        double[] expected = new double[mean.length];
        double[] logProbs = new double[rows];
        for (int i = 0; i < mean.length; i++) {
            double radius = Math.sqrt(-2 * Math.log(Philox.uniform(3, 4, 2L * (5L * dim + i))));
            double number = radius * Math.cos(2 * Math.PI * Philox.uniform(3, 4, 2L * (5L * dim + i) + 1));
            expected[i] = mean[i] + Math.exp(logStd[i % dim]) * number;
            logProbs[i / dim] -= number * number / 2 + logStd[i % dim] + LOG_2_PI / 2;
        }
        DeviceArray sampled = t.output(mean.length);
        DeviceArray found = t.output(rows);
        t.backend().sampleGaussian(rows, dim, t.floats(mean), t.floats(logStd), new Draw(3, 4, 5), sampled, found);
        t.near("samples", sampled, expected, 64);
        t.near("log-probabilities", found, logProbs, 256);
    }

    private static void advantages(Trial t) {
        float gamma = 0.97f;
        float lambda = 0.9f;
        for (int[] s : t.choose(new int[][] {{1, 1}, {5, 13}}, new int[][] {{1, 1}, {4099, 97}})) {
            int steps = s[1];
            double[] rewards = t.normal(s[0] * steps);
            double[] values = t.normal(rewards.length);
            double[] next = t.normal(rewards.length);
            double[] done = Arrays.stream(t.integers(rewards.length, 5))
                    .mapToDouble(i -> i == 0 ? 1 : 0)
                    .toArray();
            double[] expected = new double[rewards.length];
            double[] returns = new double[rewards.length];
            for (int i = rewards.length - 1; i >= 0; i--) {
                double later = i % steps == steps - 1 ? 0 : expected[i + 1];
                expected[i] = rewards[i] + gamma * next[i] - values[i] + gamma * lambda * (1 - done[i]) * later;
                returns[i] = expected[i] + values[i];
            }
            DeviceArray found = t.output(rewards.length);
            DeviceArray foundReturns = t.output(rewards.length);
            t.backend()
                    .advantages(
                            s[0],
                            steps,
                            gamma,
                            lambda,
                            t.floats(rewards),
                            t.floats(values),
                            t.floats(next),
                            t.floats(done),
                            found,
                            foundReturns);
            t.near("advantages of " + Arrays.toString(s), found, expected, 64);
            t.near("returns of " + Arrays.toString(s), foundReturns, returns, 64);
        }
    }

    /** The rows of a minibatch, and what the naive loss makes of each. */
    private static final class Minibatch {
        private final PpoLoss loss;
        private final double[] advantages;
        private final double[] returns;
        private final double[] values;
        private final double[] oldValues;
        private final double[] oldLogProbs;
        private final double[] dValues;
        private final double[] statistics = new double[PpoLoss.STATISTICS];

        Minibatch(Trial t, int rows, double[] logProbs) {
            loss = new PpoLoss(0.2f, 0.01f, 0.5f, 0.3f, 1f / rows);
            advantages = t.normal(rows);
            returns = t.normal(rows);
            values = t.normal(rows);
            oldValues = t.normal(rows);
            oldLogProbs = t.normal(rows);
            Arrays.setAll(oldLogProbs, i -> (float) (logProbs[i] + 0.3 * oldLogProbs[i]));
            dValues = new double[rows];
        }

        /** Adds a row to the statistics; returns the loss's derivative by its log-probability, not weighted. */
        double row(int i, double logProb, double entropy) {
            double log = logProb - oldLogProbs[i];
            double ratio = Math.exp(log);
            double clamped = Math.max(1 - loss.clip(), Math.min(1 + loss.clip(), ratio));
            double free = -advantages[i] * ratio;
            double clipped = -advantages[i] * clamped;
            double error = values[i] - returns[i];
            double change = values[i] - oldValues[i];
            double bounded = Math.max(-loss.valueClip(), Math.min(loss.valueClip(), change));
            double boundedError = oldValues[i] + bounded - returns[i];
            boolean isFree = error * error >= boundedError * boundedError;
            double slope = isFree ? error : bounded == change ? boundedError : 0;
            dValues[i] = loss.rowWeight() * loss.valueCoef() * slope;
            statistics[PpoLoss.POLICY_LOSS] += Math.max(free, clipped);
            statistics[PpoLoss.VALUE_LOSS] += Math.max(error * error, boundedError * boundedError) / 2;
            statistics[PpoLoss.ENTROPY] += entropy;
            statistics[PpoLoss.APPROXIMATE_KL] += ratio - 1 - log;
            statistics[PpoLoss.CLIPPED] += Math.abs(ratio - 1) > loss.clip() ? 1 : 0;
            statistics[PpoLoss.MAX_RATIO_DEVIATION] =
                    Math.max(statistics[PpoLoss.MAX_RATIO_DEVIATION], Math.abs(ratio - 1));
            return free >= clipped ? free : 0;
        }
    }

    private static void categoricalLoss(Trial t) {
        for (int[] s : t.choose(new int[][] {{1, 2}, {97, 5}}, new int[][] {{1, 2}, {20_011, 17}})) {
            int rows = s[0];
            int actions = s[1];
            double[] logits = t.normal(rows * actions);
            int[] taken = t.integers(rows, actions);
            double[] logProbs = new double[rows];
            Arrays.setAll(logProbs, i -> logits[i * actions + taken[i]] - logSumExp(logits, i * actions, actions));
            Minibatch m = new Minibatch(t, rows, logProbs);
            double[] expected = new double[logits.length];
            for (int i = 0; i < rows; i++) {
                double sum = logSumExp(logits, i * actions, actions);
                double entropy = 0;
                for (int a = 0; a < actions; a++) {
                    double log = logits[i * actions + a] - sum;
                    entropy -= Math.exp(log) * log;
                }
                double slope = m.row(i, logProbs[i], entropy);
                for (int a = 0; a < actions; a++) {
                    double log = logits[i * actions + a] - sum;
                    double p = Math.exp(log);
                    expected[i * actions + a] = m.loss.rowWeight()
                            * (slope * ((a == taken[i] ? 1 : 0) - p) + m.loss.entropyCoef() * p * (log + entropy));
                }
            }
            DeviceArray dLogits = t.output(logits.length);
            DeviceArray dValues = t.output(rows);
            DeviceArray statistics = t.output(PpoLoss.STATISTICS);
            t.backend()
                    .ppoCategorical(
                            m.loss,
                            rows,
                            actions,
                            t.floats(logits),
                            t.floats(m.values),
                            t.ints(taken),
                            t.floats(m.oldLogProbs),
                            t.floats(m.advantages),
                            t.floats(m.returns),
                            t.floats(m.oldValues),
                            dLogits,
                            dValues,
                            statistics);
            t.near("gradient for the logits of " + Arrays.toString(s), dLogits, expected, weights(expected, m), 512);
            near(t, m, dValues, statistics, rows);
        }
    }

    private static void gaussianLoss(Trial t) {
        for (int[] s : t.choose(new int[][] {{1, 1}, {97, 3}}, new int[][] {{1, 1}, {20_011, 5}})) {
            int rows = s[0];
            int dim = s[1];
            double[] mean = t.normal(rows * dim);
            double[] taken = t.normal(mean.length);
            double[] logStd = t.normal(dim);
            Arrays.setAll(logStd, d -> (float) (logStd[d] / 4));
            double[] logProbs = new double[rows];
            for (int i = 0; i < mean.length; i++) {
                double number = (taken[i] - mean[i]) / Math.exp(logStd[i % dim]);
                logProbs[i / dim] -= number * number / 2 + logStd[i % dim] + LOG_2_PI / 2;
            }
            double entropy = Arrays.stream(logStd).sum() + dim * (LOG_2_PI + 1) / 2;
            Minibatch m = new Minibatch(t, rows, logProbs);
            double[] expected = new double[mean.length];
            double[] expectedLogStd = new double[dim];
            for (int i = 0; i < rows; i++) {
                double slope = m.row(i, logProbs[i], entropy);
                for (int d = 0; d < dim; d++) {
                    double deviation = Math.exp(logStd[d]);
                    double number = (taken[i * dim + d] - mean[i * dim + d]) / deviation;
                    expected[i * dim + d] = m.loss.rowWeight() * slope * number / deviation;
                    expectedLogStd[d] += m.loss.rowWeight() * (slope * (number * number - 1) - m.loss.entropyCoef());
                }
            }
            DeviceArray dMean = t.output(mean.length);
            DeviceArray dLogStd = t.output(dim);
            DeviceArray dValues = t.output(rows);
            DeviceArray statistics = t.output(PpoLoss.STATISTICS);
            t.backend()
                    .ppoGaussian(
                            m.loss,
                            rows,
                            dim,
                            t.floats(mean),
                            t.floats(logStd),
                            t.floats(m.values),
                            t.floats(taken),
                            t.floats(m.oldLogProbs),
                            t.floats(m.advantages),
                            t.floats(m.returns),
                            t.floats(m.oldValues),
                            dMean,
                            dLogStd,
                            dValues,
                            statistics);
            t.near("gradient for the mean of " + Arrays.toString(s), dMean, expected, weights(expected, m), 1024);
            t.near("gradient for log std of " + Arrays.toString(s), dLogStd, expectedLogStd, 1024 + rows);
            near(t, m, dValues, statistics, rows);
        }
    }

    /** A row's share of the gradient is as small as its weight. */
    private static double[] weights(double[] expected, Minibatch m) {
        double[] magnitudes = new double[expected.length];
        Arrays.setAll(magnitudes, i -> m.loss.rowWeight() + Math.abs(expected[i]));
        return magnitudes;
    }

    private static void near(Trial t, Minibatch m, DeviceArray dValues, DeviceArray statistics, int rows) {
        t.near("gradient for the values", dValues, m.dValues, weights(m.dValues, m), 64);
        t.near("statistics", statistics, m.statistics, 64 + rows);
    }

    private static void adam(Trial t) {
        AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-8f, 0.5f);
        for (int n : t.choose(new int[] {1, 97, 1031}, new int[] {1, 97, 1_000_003})) {
            double[] parameters = t.normal(n);
            double[] first = new double[n];
            double[] second = new double[n];
            DeviceArray found = t.floats(parameters);
            DeviceArray foundFirst = t.floats(first);
            DeviceArray foundSecond = t.floats(second);
            DeviceArray state = t.floats(0.01f, 0, 0, 0);
            for (int step = 1; step <= 3; step++) {
                double[] gradients = t.normal(n);
                double norm = Math.sqrt(Arrays.stream(gradients).map(g -> g * g).sum());
                for (int i = 0; i < n; i++) {
                    double g = gradients[i] * Math.min(1, settings.maxGradNorm() / norm);
                    first[i] = settings.beta1() * first[i] + (1 - settings.beta1()) * g;
                    second[i] = settings.beta2() * second[i] + (1 - settings.beta2()) * g * g;
                    double mean = first[i] / (1 - Math.pow(settings.beta1(), step));
                    double square = second[i] / (1 - Math.pow(settings.beta2(), step));
                    parameters[i] -= 0.01f * mean / (Math.sqrt(square) + settings.epsilon());
                }
                t.backend().adam(settings, found, t.floats(gradients), foundFirst, foundSecond, state);
            }
            t.near("parameters of " + n, found, parameters, 64);
            t.near("first moment of " + n, foundFirst, first, 64);
            t.near("second moment of " + n, foundSecond, second, 64);
        }
    }
}
