package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.rl.AdamSettings;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.Trajectories;

/** Sampling of actions, advantages, the policy loss with its gradients, and the optimiser. */
final class LearningCases {
    private static final RandomRange DRAW = new RandomRange(3, 4, 5);

    private LearningCases() {}

    static List<Case> all(boolean deep) {
        int[][] choices = deep ? new int[][] {{70_001, 5}, {97, 207}} : new int[][] {{1, 1}, {97, 3}, {13, 31}};
        List<Case> cases = new ArrayList<>(Case.each("sampleCategorical", choices, LearningCases::choices));
        cases.addAll(Case.each("argmax", choices, LearningCases::argmax));
        cases.addAll(Case.each("sampleGaussian", new int[][] {{deep ? 70_001 : 97, 3}}, LearningCases::normals));
        int[][] rollouts = {{1, 1}, deep ? new int[] {4099, 97} : new int[] {5, 13}};
        cases.addAll(Case.each("advantages", rollouts, LearningCases::advantages));
        int[][] discrete = {{1, 2}, deep ? new int[] {20_011, 17} : new int[] {97, 5}};
        cases.addAll(Case.each("ppoCategorical", discrete, LearningCases::categoricalLoss));
        int[][] continuous = {{1, 1}, deep ? new int[] {20_011, 5} : new int[] {97, 3}};
        cases.addAll(Case.each("ppoGaussian", continuous, LearningCases::gaussianLoss));
        int[][] parameters = {{1}, {97}, {deep ? 1_000_003 : 1031}};
        cases.addAll(Case.each("adam", parameters, LearningCases::adam));
        return cases;
    }

    /** A number close to the border of two actions may be in either; what was chosen decides what is expected then. */
    private static void choices(Pair p, int[] s, String what) {
        int actions = s[1];
        Pair.Both logits = p.floats(Pair.normal(s[0] * actions, 1));
        Pair.Both sampled = p.integerOutput(s[0]);
        Pair.Both logProbs = p.output(s[0]);
        p.run(b -> b.rl().sampleCategorical(s[0], actions, logits.on(b), DRAW, sampled.on(b), logProbs.on(b)));
        Pair.Both logSoftmax = p.output((long) s[0] * actions);
        p.reference.math().logSoftmax(s[0], actions, logits.on(p.reference), logSoftmax.on(p.reference));
        double[] logs = logSoftmax.expected();
        int[] found = sampled.actualIntegers();
        double[] expected = new double[s[0]];
        for (int row = 0; row < s[0]; row++) {
            int chosen = found[row];
            p.require(
                    chosen >= 0 && chosen < actions,
                    what + ": action of row " + row + " is " + chosen + ", expected 0 to " + (actions - 1));
            double before = 0;
            for (int a = 0; a < chosen; a++) {
                before += Math.exp(logs[row * actions + a]);
            }
            double after = before + Math.exp(logs[row * actions + chosen]);
            double number = Philox.uniform(DRAW.seed(), DRAW.stream(), DRAW.first() + row);
            double slack = 64 * p.unit();
            p.require(
                    number >= before - slack && number <= after + slack,
                    what + ": action of row " + row + " is " + chosen + ", whose share of the line is " + before
                            + " to " + after + ", expected one with " + number);
            expected[row] = logs[row * actions + chosen];
        }
        p.reference.memory().upload(expected, 0, logProbs.on(p.reference));
        logProbs.isWithin((16 + Math.sqrt(actions)) * (1 + Pair.largest(expected)), what + ", log-probabilities");
    }

    private static void argmax(Pair p, int[] s, String what) {
        Pair.Both x = p.floats(Pair.normal(s[0] * s[1], 1));
        Pair.Both y = p.integerOutput(s[0]);
        p.run(b -> b.rl().argmax(s[0], s[1], x.on(b), y.on(b)));
        y.isSameIntegers(what);
    }

    private static void normals(Pair p, int[] s, String what) {
        Pair.Both mean = p.floats(Pair.normal(s[0] * s[1], 1));
        Pair.Both logStd = p.floats(-0.5, 0, 0.25);
        Pair.Both sampled = p.output((long) s[0] * s[1]);
        Pair.Both logProbs = p.output(s[0]);
        p.run(b -> b.rl().sampleGaussian(s[0], s[1], mean.on(b), logStd.on(b), DRAW, sampled.on(b), logProbs.on(b)));
        sampled.isWithin(64 * (1 + Pair.largest(sampled.expected())), what);
        logProbs.isWithin(256 * (1 + Pair.largest(logProbs.expected())), what + ", log-probabilities");
    }

    private static double[] rarely(int length) {
        return new Random(9).ints(length, 0, 5).mapToDouble(i -> i == 0 ? 1 : 0).toArray();
    }

    private static void advantages(Pair p, int[] s, String what) {
        int length = s[0] * s[1];
        Trajectories<Pair.Both> trajectories = new Trajectories<>(
                s[0],
                s[1],
                p.floats(Pair.normal(length, 1)),
                p.floats(Pair.normal(length, 2)),
                p.floats(Pair.normal(length, 3)),
                p.floats(rarely(length)));
        Pair.Both advantages = p.output(length);
        Pair.Both returns = p.output(length);
        p.run(b -> b.rl().advantages(trajectories.map(x -> x.on(b)), 0.97f, 0.9f, advantages.on(b), returns.on(b)));
        advantages.isWithin(64 * (1 + Pair.largest(advantages.expected())), what);
        returns.isWithin(64 * (1 + Pair.largest(returns.expected())), what + ", returns");
    }

    /** Rows of a minibatch with the values of a network, and what becomes of both. */
    private record Minibatch(
            PpoLoss loss, PpoBatch<Pair.Both> played, Pair.Both values, Pair.Both dValues, Pair.Both statistics) {

        /** Some ratios are clipped and some are not. */
        static Minibatch of(Pair p, int rows, Pair.Both taken, double[] logProbs) {
            double[] noise = Pair.normal(rows, 14);
            double[] old = new double[rows];
            Arrays.setAll(old, i -> (float) (logProbs[i] + noise[i] / 4));
            return new Minibatch(
                    new PpoLoss(0.2f, 0.01f, 0.5f, 0.3f, 1f / rows),
                    new PpoBatch<>(
                            rows,
                            taken,
                            p.floats(old),
                            p.floats(Pair.normal(rows, 15)),
                            p.floats(Pair.normal(rows, 12)),
                            p.floats(Pair.normal(rows, 13))),
                    p.floats(Pair.normal(rows, 11)),
                    p.output(rows),
                    p.output(PpoLoss.STATISTICS));
        }

        void check(int rows, String what) {
            dValues.isWithin(weights(dValues, 64), what + ", gradient for the values");
            statistics.isWithin((64 + rows) * (1 + Pair.largest(statistics.expected())), what + ", statistics");
        }

        /** A row's share of a gradient is as small as its weight. */
        double[] weights(Pair.Both gradient, double roundings) {
            return Arrays.stream(gradient.expected())
                    .map(x -> roundings * (loss.rowWeight() + Math.abs(x)))
                    .toArray();
        }
    }

    private static void categoricalLoss(Pair p, int[] s, String what) {
        Pair.Both logits = p.floats(Pair.normal(s[0] * s[1], 1));
        int[] actions = new Random(2).ints(s[0], 0, s[1]).toArray();
        Pair.Both taken = p.ints(actions);
        Pair.Both logSoftmax = p.output((long) s[0] * s[1]);
        p.reference.math().logSoftmax(s[0], s[1], logits.on(p.reference), logSoftmax.on(p.reference));
        double[] logs = logSoftmax.expected();
        double[] logProbs = new double[s[0]];
        Arrays.setAll(logProbs, row -> logs[row * s[1] + actions[row]]);
        Minibatch m = Minibatch.of(p, s[0], taken, logProbs);
        Pair.Both dLogits = p.output((long) s[0] * s[1]);
        p.run(b -> b.rl().ppoCategorical(
                        m.loss,
                        m.played.map(x -> x.on(b)),
                        s[1],
                        logits.on(b),
                        m.values.on(b),
                        dLogits.on(b),
                        m.dValues.on(b),
                        m.statistics.on(b)));
        dLogits.isWithin(m.weights(dLogits, 512), what + ", gradient for the logits");
        m.check(s[0], what);
    }

    private static void gaussianLoss(Pair p, int[] s, String what) {
        double[] means = Pair.normal(s[0] * s[1], 1);
        double[] actions = Pair.normal(s[0] * s[1], 2);
        double[] logStds =
                Arrays.stream(Pair.normal(s[1], 3)).map(x -> (float) (x / 4)).toArray();
        double[] logProbs = new double[s[0]];
        for (int i = 0; i < means.length; i++) {
            double number = (actions[i] - means[i]) / Math.exp(logStds[i % s[1]]);
            logProbs[i / s[1]] -= number * number / 2 + logStds[i % s[1]] + Math.log(2 * Math.PI) / 2;
        }
        Pair.Both taken = p.floats(actions);
        Minibatch m = Minibatch.of(p, s[0], taken, logProbs);
        Pair.Both mean = p.floats(means);
        Pair.Both logStd = p.floats(logStds);
        Pair.Both dMean = p.output((long) s[0] * s[1]);
        Pair.Both dLogStd = p.output(s[1]);
        p.run(b -> b.rl().ppoGaussian(
                        m.loss,
                        m.played.map(x -> x.on(b)),
                        mean.on(b),
                        logStd.on(b),
                        m.values.on(b),
                        dMean.on(b),
                        dLogStd.on(b),
                        m.dValues.on(b),
                        m.statistics.on(b)));
        dMean.isWithin(m.weights(dMean, 1024), what + ", gradient for the mean");
        dLogStd.isWithin(
                (1024 + s[0]) * (1 + Pair.largest(dLogStd.expected())),
                what + ", gradient for the logarithm of the deviation");
        m.check(s[0], what);
    }

    private static void adam(Pair p, int[] s, String what) {
        AdamSettings settings = new AdamSettings(0.9f, 0.999f, 1e-8f, 0.5f);
        Pair.Both parameters = p.floats(Pair.normal(s[0], 1));
        Pair.Both first = p.floats(new double[s[0]]);
        Pair.Both second = p.floats(new double[s[0]]);
        double[] begin = new double[AdamSettings.STATE_SIZE];
        begin[AdamSettings.LEARNING_RATE] = 0.01f;
        Pair.Both state = p.floats(begin);
        for (int step = 0; step < 3; step++) {
            Pair.Both gradients = p.floats(Pair.normal(s[0], 2 + step));
            p.run(b ->
                    b.rl().adam(settings, parameters.on(b), gradients.on(b), first.on(b), second.on(b), state.on(b)));
        }
        parameters.isWithin(64 * (1 + Pair.largest(parameters.expected())), what);
        first.isWithin(64, what + ", first moment");
        second.isWithin(64, what + ", second moment");
        state.isWithin((64 + Math.sqrt(s[0])) * (1 + Pair.largest(state.expected())), what + ", state");
    }
}
