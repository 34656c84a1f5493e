package org.fovea.backend.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import org.fovea.backend.Backend;
import org.fovea.backend.math.Philox;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.memory.Scope;
import org.fovea.verify.Pair;
import org.junit.jupiter.api.Test;

/** Actions drawn from a policy. */
interface SamplingContract extends ContractFixture {

    @Test
    default void actionsAreThoseOfTheReference() {
        for (int actions : new int[] {1, 2, 3, 6, 17, 97, 1030}) {
            for (int rows : new int[] {0, 1, 5, 33, 1031}) {
                if (rows * actions > 200_000) {
                    continue;
                }
                try (Pair p = pair()) {
                    Pair.Both logits = p.floats(Arrays.stream(Pair.normal(rows * actions, rows))
                            .map(x -> 2 * x)
                            .toArray());
                    Pair.Both sampled = p.integerOutput(rows);
                    Pair.Both logProbs = p.output(rows);
                    p.run(b -> b.rl().sampleCategorical(
                                    rows,
                                    actions,
                                    logits.on(b),
                                    new RandomRange(5, 6, 70),
                                    sampled.on(b),
                                    logProbs.on(b)));
                    int[] expected = sampled.expectedIntegers();
                    int[] actual = sampled.actualIntegers();
                    double[] bounds = new double[rows];
                    double range = 2 * Pair.largest(logits.expected());
                    Arrays.fill(bounds, 4 * (2 * range + Math.sqrt(actions) + 4));
                    double near = p.unit() * 4 * (range + Math.sqrt(actions) + 4);
                    for (int r = 0; r < rows; r++) {
                        if (expected[r] != actual[r]) {
                            double[] row = Arrays.copyOfRange(logits.expected(), r * actions, (r + 1) * actions);
                            assertThat(distanceFromBoundary(row, Philox.uniform(5, 6, 70 + r)))
                                    .as("row %d of %d chose %d, not %d", r, rows, actual[r], expected[r])
                                    .isLessThan(near);
                            bounds[r] = Double.POSITIVE_INFINITY;
                        }
                    }
                    logProbs.isWithin(bounds, "log-probabilities of " + actions + " actions");
                }
            }
        }
    }

    /** How near a number is to one of the steps of the cumulative distribution. */
    private static double distanceFromBoundary(double[] logits, double uniform) {
        double sum = Arrays.stream(logits).map(Math::exp).sum();
        double cumulative = 0;
        double nearest = 1;
        for (double logit : logits) {
            cumulative += Math.exp(logit) / sum;
            nearest = Math.min(nearest, Math.abs(cumulative - uniform));
        }
        return nearest;
    }

    @Test
    default void impossibleActionsAreNeverTaken() {
        int rows = 2000;
        try (Pair p = pair()) {
            double[] values = Pair.normal(rows * 5, 1);
            for (int i = 0; i < values.length; i++) {
                if (i % 5 == 0 || i % 5 == 3 || i % 5 == 4) {
                    values[i] = Double.NEGATIVE_INFINITY;
                }
            }
            Pair.Both logits = p.floats(values);
            Pair.Both sampled = p.integerOutput(rows);
            Pair.Both logProbs = p.output(rows);
            p.run(b -> b.rl().sampleCategorical(
                            rows, 5, logits.on(b), new RandomRange(1, 2, 0), sampled.on(b), logProbs.on(b)));
            assertThat(Arrays.stream(sampled.actualIntegers()).distinct().toArray())
                    .containsExactlyInAnyOrder(1, 2);
            assertThat(Arrays.stream(logProbs.actual()).allMatch(l -> l <= 0 && l > -20))
                    .isTrue();
        }
    }

    /** Pearson's statistic of 20,000 draws; it exceeds its mean by five standard deviations less than once in 10^5. */
    @Test
    default void actionsFollowTheirProbabilities() {
        double[] logits = {0.5, -1, 2, 0, 0.25, -3, 1};
        int rows = 20000;
        try (Pair p = pair()) {
            double[] repeated = new double[rows * logits.length];
            for (int i = 0; i < repeated.length; i++) {
                repeated[i] = logits[i % logits.length];
            }
            Pair.Both x = p.floats(repeated);
            Pair.Both sampled = p.integerOutput(rows);
            Pair.Both logProbs = p.output(rows);
            p.run(b -> b.rl().sampleCategorical(
                            rows, logits.length, x.on(b), new RandomRange(3, 4, 0), sampled.on(b), logProbs.on(b)));
            double[] counts = new double[logits.length];
            for (int action : sampled.actualIntegers()) {
                counts[action]++;
            }
            double sum = Arrays.stream(logits).map(Math::exp).sum();
            double statistic = 0;
            for (int a = 0; a < logits.length; a++) {
                double expected = rows * Math.exp(logits[a]) / sum;
                statistic += (counts[a] - expected) * (counts[a] - expected) / expected;
            }
            int freedom = logits.length - 1;
            assertThat(statistic).isLessThan(freedom + 5 * Math.sqrt(2 * freedom));
        }
    }

    @Test
    default void drawsDependOnTheirPositionOnly() {
        try (Pair p = pair()) {
            Pair.Both logits = p.floats(Pair.normal(97 * 6, 1));
            Pair.Both whole = p.integerOutput(97);
            Pair.Both parts = p.integerOutput(97);
            Pair.Both logProbs = p.output(97);
            p.run(b -> b.rl().sampleCategorical(
                            97, 6, logits.on(b), new RandomRange(1, 2, 10), whole.on(b), logProbs.on(b)));
            p.run(b -> {
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
            assertThat(parts.actualIntegers()).isEqualTo(whole.actualIntegers());
        }
    }

    @Test
    default void aCounterIsAddedToTheStreamWhenADrawRuns() {
        Backend b = tested();
        try (Scope scope = b.memory().openScope()) {
            DeviceArray counter = scope.allocate(DType.I32, 3).slice(1, 1);
            DeviceArray x = scope.allocate(b.memory().floatType(), 31);
            DeviceArray logStd = scope.allocate(b.memory().floatType(), 1);
            DeviceArray sampled = scope.allocate(DType.I32, 31);
            DeviceArray[] floats = new DeviceArray[4];
            for (int i = 0; i < floats.length; i++) {
                floats[i] = scope.allocate(b.memory().floatType(), 31);
            }
            b.math().iota(-1, 0.1, x);
            b.memory().fill(logStd, 0.5);
            double[][] drawn = new double[2][];
            for (int count : new int[] {0, 1, 1_000_000_007, -3}) {
                b.memory().fill(counter, count);
                RandomRange[] same = {new RandomRange(7, 100 + count, 2), new RandomRange(7, 100, 2, counter)};
                for (int way = 0; way < same.length; way++) {
                    b.math().uniform(same[way], floats[0]);
                    b.rl().sampleCategorical(1, 31, x, same[way], sampled.slice(0, 1), floats[1].slice(0, 1));
                    b.rl().sampleGaussian(31, 1, x, logStd, same[way], floats[2], floats[3]);
                    drawn[way] = new double[3 * 31];
                    for (int i = 0; i < 3; i++) {
                        b.memory().download(floats[i == 1 ? 3 : i], drawn[way], i * 31);
                    }
                    int[] choice = new int[1];
                    b.memory().download(sampled.slice(0, 1), choice, 0);
                    drawn[way][31] = choice[0];
                }
                assertThat(drawn[1]).as("counter %d", count).isEqualTo(drawn[0]);
            }
            assertThatThrownBy(() -> b.math().uniform(new RandomRange(7, 100, 2, x), floats[0]))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("counter");
        }
    }

    @Test
    default void argmaxIsTheFirstOfEquals() {
        for (int width : new int[] {1, 2, 3, 5, 6, 13, 17, 31, 33, 97, 207, 1030}) {
            try (Pair p = pair()) {
                double[] values = Arrays.stream(Pair.normal(13 * width, width))
                        .map(Math::rint)
                        .toArray();
                Arrays.fill(values, 0, width, Double.NEGATIVE_INFINITY);
                Pair.Both x = p.floats(values);
                Pair.Both y = p.integerOutput(13);
                p.run(b -> b.rl().argmax(13, width, x.on(b), y.on(b)));
                y.isSameIntegers("argmax of width " + width);
            }
        }
    }

    @Test
    default void normalActionsAreThoseOfTheReference() {
        for (int dim : new int[] {1, 2, 3, 6, 17, 33}) {
            int rows = 207;
            try (Pair p = pair()) {
                Pair.Both mean = p.floats(Pair.normal(rows * dim, 1));
                Pair.Both logStd = p.floats(Pair.normal(dim, 2));
                Pair.Both sampled = p.output((long) rows * dim);
                Pair.Both logProbs = p.output(rows);
                p.run(b -> b.rl().sampleGaussian(
                                rows,
                                dim,
                                mean.on(b),
                                logStd.on(b),
                                new RandomRange(8, 9, 33),
                                sampled.on(b),
                                logProbs.on(b)));
                double[] action = sampled.expected();
                double[] bounds = new double[action.length];
                double[] logBounds = new double[rows];
                for (int i = 0; i < bounds.length; i++) {
                    double s = logStd.expected()[i % dim];
                    double z = (action[i] - mean.expected()[i]) / Math.exp(s);
                    // Box-Muller: the radius times one rounding of an angle up to 2 pi.
                    double radius = Math.sqrt(-2 * Math.log(Philox.uniform(8, 9, 2L * (33L * dim + i))));
                    double error = 4 * radius * (2 * Math.PI + 2);
                    bounds[i] = Math.exp(s) * (error + 4 * (1 + Math.abs(s)) * Math.abs(z))
                            + 4 * Math.abs(action[i])
                            + 4 * Math.abs(mean.expected()[i]);
                    logBounds[i / dim] += 4 * Math.sqrt(dim) * (Math.abs(z) * error + z * z + Math.abs(s) + 1);
                }
                sampled.isWithin(bounds, "normal actions of dim " + dim);
                logProbs.isWithin(logBounds, "log-probabilities of dim " + dim);
            }
        }
    }
}
