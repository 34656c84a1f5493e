// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.Trajectories;

/** Advantages, the policy loss with its gradients, and the optimiser. */
final class LearningCases {
    private static final int[][] ROLLOUTS = {
        {1, 1}, {1, 128}, {5, 17}, {33, 3}, {64, 31}, {207, 2}, {0, 5}, {3, 0}, {70001, 1}
    };
    private static final int[][] CATEGORICAL = {{1, 1}, {33, 2}, {5, 3}, {207, 6}, {64, 16}, {97, 33}, {0, 3}, {7, 300}
    };
    private static final int[][] SEVERAL_CHOICES = {
        {1, 2, 1}, {33, 2, 5}, {300, 3, 2}, {7, 5, 40}, {3, 2, 300}, {0, 2, 2}
    };
    private static final int[][] GAUSSIAN = {{1, 1}, {33, 2}, {5, 3}, {207, 6}, {64, 17}, {0, 3}, {7, 300}};
    private static final AdamSettings CLIPPED = new AdamSettings(0.9f, 0.999f, 1e-8f, 0.5f);

    private LearningCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>(Case.each(
                "rl.advantages", Case.shapes(deep, ROLLOUTS, new int[] {4099, 97}), LearningCases::advantages));
        for (int[] s : Case.shapes(deep, CATEGORICAL, new int[] {20_011, 17})) {
            for (PpoLoss loss : losses(s[0])) {
                String name = s[0] + " x " + s[1] + ", " + loss;
                cases.add(new Case("rl.ppoCategorical", name, p -> categorical(p, loss, s[0], 1, s[1], false, name)));
                if (s[1] > 2) {
                    String masked = name + ", masked";
                    cases.add(new Case(
                            "rl.ppoCategorical", masked, p -> categorical(p, loss, s[0], 1, s[1], true, masked)));
                }
            }
        }
        for (int[] s : Case.shapes(deep, SEVERAL_CHOICES, new int[] {20_011, 3, 17})) {
            for (PpoLoss loss : losses(s[0])) {
                String name = s[0] + " x " + s[1] + " parts x " + s[2] + ", " + loss;
                boolean masked = s[2] > 2;
                cases.add(
                        new Case("rl.ppoCategorical", name, p -> categorical(p, loss, s[0], s[1], s[2], masked, name)));
            }
        }
        for (int[] s : Case.shapes(deep, GAUSSIAN, new int[] {20_011, 5})) {
            for (PpoLoss loss : losses(s[0])) {
                String name = s[0] + " x " + s[1] + ", " + loss;
                cases.add(new Case("rl.ppoGaussian", name, p -> gaussian(p, loss, s[0], s[1], name)));
            }
        }
        for (int[] length :
                Case.shapes(deep, new int[][] {{1}, {5}, {33}, {207}, {4099}, {12288}}, new int[] {1_000_003})) {
            for (float limit : new float[] {Float.POSITIVE_INFINITY, 0.5f, 1e6f}) {
                cases.add(adam(new AdamSettings(0.9f, 0.999f, 1e-5f, limit), length[0]));
            }
        }
        cases.add(adam(new AdamSettings(0f, 0.9f, 1e-8f, 0.5f), 33));
        for (int length : new int[] {5, 207, 4099}) {
            cases.add(adam(new AdamSettings(0.9f, 0.999f, 1e-5f, 0.5f, 3), length));
        }
        for (int records : new int[] {1, 5, 64}) {
            cases.add(new Case("rl.flagDivergence", records + " records", p -> flagDivergence(p, records)));
        }
        cases.add(new Case("rl.adam", "skip", LearningCases::adamSkips));
        for (double broken : new double[] {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY}) {
            for (int at : new int[] {0, 16, 32}) {
                cases.add(new Case("rl.adam", "gradient " + broken + " at " + at, p -> adamStops(p, broken, at)));
            }
        }
        cases.add(new Case("rl.adam", "the same bits again", LearningCases::adamRepeats));
        return cases;
    }

    private static void advantages(Pair p, int[] s, String what) {
        int length = s[0] * s[1];
        Random random = new Random(length);
        double[] done = new double[length];
        Arrays.setAll(done, i -> random.nextInt(5) == 0 ? 1 : 0);
        double[][] inputs = {Pair.normal(length, 1), Pair.normal(length, 2), Pair.normal(length, 3), done};
        Pair.Both advantages = p.output(length);
        Pair.Both returns = p.output(length);
        advantages(p, s, inputs, advantages, returns);
        double[] bounds = magnitudes(p, s, inputs);
        Arrays.setAll(bounds, i -> 6 * s[1] * bounds[i]);
        advantages.isWithin(bounds, what);
        double[] expected = returns.expected();
        Arrays.setAll(bounds, i -> bounds[i] + Math.abs(expected[i]));
        returns.isWithin(bounds, what + ", returns");
    }

    private static void advantages(Pair p, int[] s, double[][] inputs, Pair.Both advantages, Pair.Both returns) {
        Trajectories<Pair.Both> trajectories = new Trajectories<>(
                s[0], s[1], p.floats(inputs[0]), p.floats(inputs[1]), p.floats(inputs[2]), p.floats(inputs[3]));
        p.run(b -> b.rl().advantages(trajectories.map(x -> x.on(b)), 0.99f, 0.95f, advantages.on(b), returns.on(b)));
    }

    /** The same recursion on magnitudes: no term cancels another. */
    private static double[] magnitudes(Pair p, int[] s, double[][] inputs) {
        Pair.Both advantages = p.output((long) s[0] * s[1]);
        Pair.Both returns = p.output((long) s[0] * s[1]);
        double[] against = Arrays.stream(inputs[1]).map(v -> -Math.abs(v)).toArray();
        advantages(
                p,
                s,
                new double[][] {Pair.abs(inputs[0]), against, Pair.abs(inputs[2]), inputs[3]},
                advantages,
                returns);
        return advantages.expected();
    }

    private static PpoLoss[] losses(int rows) {
        return new PpoLoss[] {
            new PpoLoss(0.01f, 0.5f, 0, 1f / Math.max(1, rows)),
            new PpoLoss(0.5f, 1, 0.2f, 1f / 64),
            new PpoLoss(0, 0, 0, 1)
        };
    }

    /** Rows of a PPO minibatch: log-ratios and value changes clearly inside or outside the clip ranges. */
    private static final class Minibatch {
        final PpoBatch<Pair.Both> played;
        final Pair.Both values;
        final Pair.Both dValues;
        final Pair.Both statistics;

        Minibatch(Pair p, Pair.Both taken, double[] logProbs) {
            int rows = logProbs.length;
            double[] steps = {0, 0.05, -0.05, 0.5, -0.5};
            double[] value = Pair.normal(rows, 21);
            double[] oldLogProb = new double[rows];
            double[] oldValue = new double[rows];
            Arrays.setAll(oldLogProb, r -> logProbs[r] - steps[r % 5]);
            Arrays.setAll(oldValue, r -> value[r] - steps[r / 5 % 5]);
            values = p.floats(value);
            played = new PpoBatch<>(
                    rows,
                    taken,
                    p.floats(oldLogProb),
                    p.floats(oldValue),
                    p.floats(Pair.normal(rows, 22)),
                    p.floats(Pair.normal(rows, 23)),
                    p.floats(0.2f));
            dValues = p.output(rows);
            statistics = p.output(PpoLoss.STATISTICS);
        }

        /** @param logProbError units of rounding in a row's log-probability */
        void check(PpoLoss loss, int rows, double logProbError, double largestEntropy, String what) {
            double ratio = 1.7;
            double advantage = Pair.largest(played.advantages().expected());
            double value = Pair.largest(values.expected())
                    + Pair.largest(played.returns().expected())
                    + 1;
            dValues.isWithin(8 * loss.rowWeight() * loss.valueCoef() * value, what + ", dValues");
            double sums = 4 * rows * (Math.sqrt(rows) + logProbError + 4);
            statistics.isWithin(
                    new double[] {
                        sums * advantage * ratio,
                        sums * value * value,
                        sums * (1 + largestEntropy),
                        sums * 3,
                        0,
                        4 * ratio * (logProbError + 4)
                    },
                    what + ", statistics");
        }
    }

    private static void categorical(
            Pair p, PpoLoss loss, int rows, int parts, int actions, boolean masked, String what) {
        double[] x = Pair.normal(rows * parts * actions, 11);
        int[] taken = new int[rows * parts];
        double[] logProbs = new double[rows];
        for (int i = 0; i < rows * parts; i++) {
            taken[i] = (i * 5) % actions;
            if (masked) {
                x[i * actions + (taken[i] + 1) % actions] = i % 2 == 0 ? Double.NEGATIVE_INFINITY : -1e30f;
            }
            double sum = 0;
            for (int a = 0; a < actions; a++) {
                sum += Math.exp(x[i * actions + a]);
            }
            logProbs[i / parts] += x[i * actions + taken[i]] - Math.log(sum);
        }
        Pair.Both logits = p.floats(x);
        Pair.Both action = p.ints(taken);
        Pair.Both dLogits = p.output(x.length);
        Minibatch m = new Minibatch(p, action, logProbs);
        p.run(b -> b.rl().ppoCategorical(
                        loss,
                        m.played.map(array -> array.on(b)),
                        parts,
                        actions,
                        logits.on(b),
                        m.values.on(b),
                        dLogits.on(b),
                        m.dValues.on(b),
                        m.statistics.on(b)));
        double range = 16;
        double logProbError = parts * (2 * range + Math.sqrt(actions) + 4);
        double row =
                Pair.largest(m.played.advantages().expected()) * 1.7 + loss.entropyCoef() * (range + Math.log(actions));
        dLogits.isWithin(4 * loss.rowWeight() * row * (logProbError + 4), what + ", dLogits");
        m.check(loss, rows, logProbError, parts * Math.log(actions), what);
    }

    private static void gaussian(Pair p, PpoLoss loss, int rows, int dim, String what) {
        double[] mu = Pair.normal(rows * dim, 11);
        double[] logSigma =
                Arrays.stream(Pair.normal(dim, 12)).map(x -> (float) (x / 4)).toArray();
        double[] actions = new double[rows * dim];
        double[] noise = Pair.normal(rows * dim, 13);
        double[] logProbs = new double[rows];
        for (int i = 0; i < actions.length; i++) {
            double s = logSigma[i % dim];
            actions[i] = (float) (mu[i] + Math.exp(s) * noise[i]);
            double z = (actions[i] - mu[i]) / Math.exp(s);
            logProbs[i / dim] += -z * z / 2 - s - Math.log(2 * Math.PI) / 2;
        }
        Pair.Both mean = p.floats(mu);
        Pair.Both logStd = p.floats(logSigma);
        Pair.Both taken = p.floats(actions);
        Pair.Both dMean = p.output(mu.length);
        Pair.Both dLogStd = p.output(dim);
        Minibatch m = new Minibatch(p, taken, logProbs);
        p.run(b -> b.rl().ppoGaussian(
                        loss,
                        m.played.map(array -> array.on(b)),
                        mean.on(b),
                        logStd.on(b),
                        m.values.on(b),
                        dMean.on(b),
                        dLogStd.on(b),
                        m.dValues.on(b),
                        m.statistics.on(b)));
        double z = Pair.largest(noise);
        double precision = Math.exp(Pair.largest(logSigma));
        double logProbError = dim * (4 * z * z + z * 4 * precision + 4);
        double row = Pair.largest(m.played.advantages().expected()) * 1.7;
        dMean.isWithin(4 * loss.rowWeight() * row * z * precision * (logProbError + 8), what + ", dMean");
        double perRow = row * (z * z + 1) + loss.entropyCoef();
        dLogStd.isWithin(
                4 * loss.rowWeight() * rows * perRow * (logProbError + 8 + Math.sqrt(rows)), what + ", dLogStd");
        m.check(loss, rows, logProbError, dim * 3, what);
    }

    /** The limit is passed, just not, and by no number at all. */
    private static void flagDivergence(Pair p, int records) {
        double[] statistics = Pair.abs(Pair.normal(records * PpoLoss.STATISTICS, 1));
        double sum = 0;
        for (int i = PpoLoss.APPROXIMATE_KL; i < statistics.length; i += PpoLoss.STATISTICS) {
            sum += statistics[i];
        }
        long rows = 7L * records;
        double mean = sum / rows;
        double[] broken = statistics.clone();
        broken[PpoLoss.APPROXIMATE_KL] = Double.NaN;
        for (double before : new double[] {0, 1}) {
            requireFlag(p, before, statistics, mean, rows, before);
            requireFlag(p, before, statistics, Math.nextDown(mean), rows, 1);
            requireFlag(p, before, broken, mean, rows, before);
        }
    }

    private static void requireFlag(
            Pair p, double before, double[] statistics, double limit, long rows, double expected) {
        Pair.Both records = p.floats(statistics);
        Pair.Both flag = p.floats(before);
        p.run(b -> b.rl().flagDivergence(limit, rows, records.on(b), flag.on(b)));
        p.requireEqual("flagDivergence at " + limit, flag.actual(), new double[] {expected});
    }

    private static Case adam(AdamSettings settings, int length) {
        String name = length + " with " + settings;
        return new Case("rl.adam", name, p -> adam(p, settings, length, name));
    }

    private static void adam(Pair p, AdamSettings settings, int length, String name) {
        double rate = (float) 0.01;
        // Small, so that their own rounding does not hide an error of the step.
        Pair.Both parameters = p.floats(
                Arrays.stream(Pair.normal(length, 1)).map(x -> rate * x).toArray());
        Pair.Both first = p.floats(new double[length]);
        Pair.Both second = p.floats(new double[length]);
        Pair.Both state = p.floats(rate, 0, 0, 0);
        double[] everyThird = new double[length];
        Arrays.setAll(everyThird, i -> i % 3 == 0 ? 1 : 0);
        Pair.Both decayed = p.floats(everyThird);
        double size = Pair.largest(parameters.expected()) + 8 * rate;
        for (int step = 1; step <= 8; step++) {
            Pair.Both gradients = p.floats(Pair.normal(length, 100 + step));
            p.run(b -> b.rl().adam(
                            settings,
                            parameters.on(b),
                            gradients.on(b),
                            settings.weightDecay() > 0 ? decayed.on(b) : null,
                            first.on(b),
                            second.on(b),
                            state.on(b)));
            String what = "adam of " + name + " after step " + step;
            double root = Math.sqrt(length);
            double norm = state.expected()[AdamSettings.GRADIENT_NORM];
            state.isWithin(new double[] {0, 0, 4 * (root + 2) * norm, 0}, what + ", state");
            // Each step rounds the parameter, and the quotient of the moments by what the sums above rounded.
            double perStep = 2 * size + rate * Math.sqrt(step) * (32 + 8 * root);
            parameters.isWithin(step * perStep, what + ", parameters");
            double g = Pair.largest(gradients.expected()) + 4;
            first.isWithin(step * (8 + 4 * root) * g, what + ", first moment");
            second.isWithin(step * (8 + 8 * root) * g * g, what + ", second moment");
        }
    }

    /** Parameters, moments and state of 33 numbers, and steps that must change none of the first three. */
    private record Still(Pair.Both parameters, Pair.Both first, Pair.Both second, Pair.Both state) {
        static Still of(Pair p, double skip) {
            return new Still(
                    p.floats(Pair.normal(33, 1)),
                    p.floats(Pair.normal(33, 3)),
                    p.floats(Pair.abs(Pair.normal(33, 4))),
                    p.floats(0.1, 3, 2, skip));
        }

        void step(Pair p, Pair.Both gradients, double norm, String what) {
            p.run(b -> b.rl().adam(
                            CLIPPED, parameters.on(b), gradients.on(b), null, first.on(b), second.on(b), state.on(b)));
            p.requireEqual(what + ", parameters", parameters.actual(), Pair.normal(33, 1));
            p.requireEqual(what + ", first moment", first.actual(), Pair.normal(33, 3));
            p.requireEqual(what + ", second moment", second.actual(), Pair.abs(Pair.normal(33, 4)));
            p.requireEqual(what + ", state", state.actual(), new double[] {0.1f, 3, norm, 1});
        }
    }

    private static void adamSkips(Pair p) {
        double[] nan = new double[33];
        Arrays.fill(nan, Double.NaN);
        Still.of(p, 1).step(p, p.floats(nan), 2, "adam told to skip");
    }

    /** The step after one that is not finite does nothing either. */
    private static void adamStops(Pair p, double broken, int at) {
        double[] gradient = Pair.normal(33, 2);
        Pair.Both good = p.floats(gradient.clone());
        gradient[at] = broken;
        Pair.Both bad = p.floats(gradient);
        double norm = Double.isNaN(broken) ? broken : Double.POSITIVE_INFINITY;
        Still still = Still.of(p, 0);
        still.step(p, bad, norm, "adam with a gradient of " + broken);
        still.step(p, good, norm, "adam after a gradient of " + broken);
    }

    private static void adamRepeats(Pair p) {
        double[] before = {};
        for (int repeat = 0; repeat < 3; repeat++) {
            Pair.Both parameters = p.floats(Pair.normal(4099, 1));
            Pair.Both gradients = p.floats(Pair.normal(4099, 2));
            Pair.Both first = p.floats(new double[4099]);
            Pair.Both second = p.floats(new double[4099]);
            Pair.Both state = p.floats(0.1, 0, 0, 0);
            p.run(b -> b.rl().adam(
                            CLIPPED, parameters.on(b), gradients.on(b), null, first.on(b), second.on(b), state.on(b)));
            double[] found = parameters.actual();
            p.requireEqual("adam, run " + repeat, found, repeat == 0 ? found : before);
            before = found;
        }
    }
}
