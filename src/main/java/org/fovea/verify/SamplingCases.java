// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;

/** Actions drawn from a policy, and the best of them. */
final class SamplingCases {
    private SamplingCases() {}

    static List<Case> all(boolean deep) {
        List<Case> cases = new ArrayList<>();
        for (int actions : new int[] {1, 2, 3, 6, 17, 97, 1030}) {
            for (int rows : new int[] {0, 1, 5, 33, 1031}) {
                if (rows * actions <= 200_000) {
                    cases.add(new Case(
                            "rl.sampleCategorical", rows + " x " + actions, p -> categorical(p, rows, actions)));
                }
            }
        }
        cases.add(new Case("rl.sampleCategorical", "impossible actions", SamplingCases::impossible));
        cases.add(new Case("rl.sampleCategorical", "frequencies", SamplingCases::frequencies));
        cases.add(new Case("rl.sampleCategorical", "rows in parts", SamplingCases::parts));
        for (int count : new int[] {0, 1, 1_000_000_007, -3}) {
            cases.add(new Case("rl.sampleCategorical", "stream moved by " + count, p -> counter(p, count)));
        }
        for (int width : new int[] {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207, 1030}) {
            cases.add(new Case("rl.argmax", "first of equals, 13 x " + width, p -> argmax(p, 13, width)));
        }
        for (int dim : new int[] {1, 2, 3, 6, 17, 33}) {
            cases.add(new Case("rl.sampleGaussian", "207 x " + dim, p -> gaussian(p, 207, dim)));
        }
        if (deep) {
            cases.add(new Case("rl.sampleCategorical", "70001 x 5", p -> categorical(p, 70_001, 5)));
            cases.add(new Case("rl.argmax", "70001 x 5", p -> argmax(p, 70_001, 5)));
            cases.add(new Case("rl.sampleGaussian", "70001 x 3", p -> gaussian(p, 70_001, 3)));
        }
        return cases;
    }

    /** A number close to the border of two actions may be in either; what was chosen decides what is expected then. */
    private static void categorical(Pair p, int rows, int actions) {
        RandomRange draw = new RandomRange(5, 6, 70);
        double[] values =
                Arrays.stream(Pair.normal(rows * actions, rows)).map(x -> 2 * x).toArray();
        Pair.Both logits = p.floats(values);
        Pair.Both sampled = p.integerOutput(rows);
        Pair.Both logProbs = p.output(rows);
        p.run(b -> b.rl().sampleCategorical(rows, actions, logits.on(b), draw, sampled.on(b), logProbs.on(b)));
        Pair.Both logSoftmax = p.output((long) rows * actions);
        p.reference.math().logSoftmax(rows, actions, logits.on(p.reference), logSoftmax.on(p.reference));
        double[] logs = logSoftmax.expected();
        int[] found = sampled.actualIntegers();
        double[] expected = new double[rows];
        double range = 2 * Pair.largest(values);
        double slack = p.unit() * 4 * (range + Math.sqrt(actions) + 4);
        String what = "sampleCategorical of " + rows + " x " + actions;
        for (int row = 0; row < rows; row++) {
            int chosen = found[row];
            p.require(
                    chosen >= 0 && chosen < actions,
                    what + ": action of row " + row + " is " + chosen + ", expected 0 to " + (actions - 1));
            double before = 0;
            for (int a = 0; a < chosen; a++) {
                before += Math.exp(logs[row * actions + a]);
            }
            double after = before + Math.exp(logs[row * actions + chosen]);
            double number = Philox.uniform(draw.seed(), draw.stream(), draw.first() + row);
            p.require(
                    number >= before - slack && number <= after + slack,
                    what + ": action of row " + row + " is " + chosen + ", whose share of the line is " + before
                            + " to " + after + ", expected one with " + number);
            expected[row] = logs[row * actions + chosen];
        }
        p.reference.memory().upload(expected, 0, logProbs.on(p.reference));
        logProbs.isWithin(4 * (2 * range + Math.sqrt(actions) + 4), what + ", log-probabilities");
    }

    private static void impossible(Pair p) {
        int rows = 2000;
        double[] values = Pair.normal(rows * 5, 1);
        for (int i = 0; i < values.length; i++) {
            if (i % 5 == 0 || i % 5 == 3 || i % 5 == 4) {
                values[i] = Double.NEGATIVE_INFINITY;
            }
        }
        Pair.Both logits = p.floats(values);
        Pair.Both sampled = p.integerOutput(rows);
        Pair.Both logProbs = p.output(rows);
        RandomRange draw = new RandomRange(1, 2, 0);
        p.run(b -> b.rl().sampleCategorical(rows, 5, logits.on(b), draw, sampled.on(b), logProbs.on(b)));
        int[] taken =
                Arrays.stream(sampled.actualIntegers()).distinct().sorted().toArray();
        p.require(
                Arrays.equals(taken, new int[] {1, 2}),
                "sampleCategorical took actions " + Arrays.toString(taken) + ", expected 1 and 2, the possible ones");
        p.require(
                Arrays.stream(logProbs.actual()).allMatch(l -> l <= 0 && l > -20),
                "a log-probability of a possible action is not between -20 and 0");
    }

    /** Pearson's statistic of 20,000 draws; it exceeds its mean by five standard deviations less than once in 10^5. */
    private static void frequencies(Pair p) {
        double[] logits = {0.5, -1, 2, 0, 0.25, -3, 1};
        int actions = logits.length;
        int rows = 20_000;
        double[] repeated = new double[rows * actions];
        Arrays.setAll(repeated, i -> logits[i % actions]);
        Pair.Both x = p.floats(repeated);
        Pair.Both sampled = p.integerOutput(rows);
        Pair.Both logProbs = p.output(rows);
        RandomRange draw = new RandomRange(3, 4, 0);
        p.run(b -> b.rl().sampleCategorical(rows, actions, x.on(b), draw, sampled.on(b), logProbs.on(b)));
        double[] counts = new double[actions];
        for (int action : sampled.actualIntegers()) {
            counts[action]++;
        }
        double sum = Arrays.stream(logits).map(Math::exp).sum();
        double statistic = 0;
        for (int a = 0; a < actions; a++) {
            double expected = rows * Math.exp(logits[a]) / sum;
            statistic += (counts[a] - expected) * (counts[a] - expected) / expected;
        }
        double limit = actions - 1 + 5 * Math.sqrt(2.0 * (actions - 1));
        p.require(
                statistic < limit,
                "Pearson's statistic of 20000 draws is " + statistic + ", expected less than " + limit);
    }

    /** A draw depends on its position only. */
    private static void parts(Pair p) {
        Pair.Both logits = p.floats(Pair.normal(97 * 6, 1));
        Pair.Both whole = p.integerOutput(97);
        Pair.Both parts = p.integerOutput(97);
        Pair.Both logProbs = p.output(97);
        p.run(b -> {
            b.rl().sampleCategorical(97, 6, logits.on(b), new RandomRange(1, 2, 10), whole.on(b), logProbs.on(b));
            int first = 0;
            for (int rows : new int[] {31, 1, 65}) {
                b.rl().sampleCategorical(
                                rows,
                                6,
                                logits.on(b).slice(first * 6L, rows * 6L),
                                new RandomRange(1, 2, 10 + first),
                                parts.on(b).slice(first, rows),
                                logProbs.on(b).slice(first, rows));
                first += rows;
            }
        });
        p.require(
                Arrays.equals(parts.actualIntegers(), whole.actualIntegers()),
                "actions drawn in parts are not those drawn at once");
    }

    /** Every draw with a counter on the device is that of the stream so much further on. */
    private static void counter(Pair p, int count) {
        Backend b = p.tested;
        try (Scope scope = b.memory().openScope()) {
            DeviceArray counter = scope.allocate(DType.I32, 3).slice(1, 1);
            b.memory().fill(counter, count);
            double[] fixed = drawn(b, scope, new RandomRange(7, 100 + count, 2));
            double[] counted = drawn(b, scope, new RandomRange(7, 100, 2, counter));
            p.requireEqual("draws of a stream moved by " + count, counted, fixed);
        }
    }

    private static double[] drawn(Backend b, Scope scope, RandomRange draw) {
        DType type = b.memory().floatType();
        DeviceArray[] floats =
                IntStream.range(0, 5).mapToObj(i -> scope.allocate(type, 31)).toArray(DeviceArray[]::new);
        DeviceArray logStd = scope.allocate(type, 1);
        DeviceArray sampled = scope.allocate(DType.I32, 31);
        for (DeviceArray each : floats) {
            b.memory().fill(each, 0);
        }
        b.memory().fill(sampled, 0);
        b.math().iota(-1, 0.1, floats[0]);
        b.memory().fill(logStd, 0.5);
        b.math().uniform(draw, floats[1]);
        b.rl().sampleGaussian(31, 1, floats[0], logStd, draw, floats[2], floats[3]);
        b.rl().sampleCategorical(1, 31, floats[0], draw, sampled.slice(0, 1), floats[4].slice(0, 1));
        double[] all = new double[5 * 31];
        for (int i = 0; i < 5; i++) {
            b.memory().download(floats[i], all, i * 31);
        }
        int[] choices = new int[31];
        b.memory().download(sampled, choices, 0);
        return IntStream.range(0, all.length + 31)
                .mapToDouble(i -> i < all.length ? all[i] : choices[i - all.length])
                .toArray();
    }

    /** Whole numbers, of which some are equal, after a row of -infinity. */
    private static void argmax(Pair p, int rows, int width) {
        double[] values =
                Arrays.stream(Pair.normal(rows * width, width)).map(Math::rint).toArray();
        Arrays.fill(values, 0, width, Double.NEGATIVE_INFINITY);
        Pair.Both x = p.floats(values);
        Pair.Both y = p.integerOutput(rows);
        p.run(b -> b.rl().argmax(rows, width, x.on(b), y.on(b)));
        y.isSameIntegers("argmax of " + rows + " x " + width);
    }

    private static void gaussian(Pair p, int rows, int dim) {
        RandomRange draw = new RandomRange(8, 9, 33);
        double[] means = Pair.normal(rows * dim, 1);
        double[] logStds = Pair.normal(dim, 2);
        Pair.Both mean = p.floats(means);
        Pair.Both logStd = p.floats(logStds);
        Pair.Both sampled = p.output((long) rows * dim);
        Pair.Both logProbs = p.output(rows);
        p.run(b -> b.rl().sampleGaussian(rows, dim, mean.on(b), logStd.on(b), draw, sampled.on(b), logProbs.on(b)));
        double[] action = sampled.expected();
        double[] bounds = new double[action.length];
        double[] logBounds = new double[rows];
        for (int i = 0; i < bounds.length; i++) {
            double s = logStds[i % dim];
            double z = (action[i] - means[i]) / Math.exp(s);
            // Box-Muller: the radius times one rounding of an angle up to 2 pi.
            double uniform = Philox.uniform(draw.seed(), draw.stream(), 2L * (draw.first() * dim + i));
            double error = 4 * Math.sqrt(-2 * Math.log(uniform)) * (2 * Math.PI + 2);
            bounds[i] = Math.exp(s) * (error + 4 * (1 + Math.abs(s)) * Math.abs(z))
                    + 4 * Math.abs(action[i])
                    + 4 * Math.abs(means[i]);
            logBounds[i / dim] += 4 * Math.sqrt(dim) * (Math.abs(z) * error + z * z + Math.abs(s) + 1);
        }
        String what = "sampleGaussian of " + rows + " x " + dim;
        sampled.isWithin(bounds, what);
        logProbs.isWithin(logBounds, what + ", log-probabilities");
    }
}
