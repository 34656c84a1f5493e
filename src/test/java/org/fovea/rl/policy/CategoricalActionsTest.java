// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.Backend;
import org.fovea.backend.math.RandomRange;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.backend.rl.PpoBatch;
import org.fovea.backend.rl.PpoLoss;
import org.fovea.backend.rl.StepEncoding;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Several choices at once, some forbidden, against softmaxes over what is allowed alone. */
class CategoricalActionsTest {
    private static final int ROWS = 300;
    private static final int[] CHOICES = {3, 2, 5};
    private static final int WIDTH = 5;
    private static final int SUM = 10;

    static Stream<Backend> backends() {
        return Stream.of(new ReferenceBackend(), Runs.cpu(1));
    }

    private final CategoricalActions actions = new CategoricalActions(CHOICES, true);
    private final Random random = new Random(5);
    private final boolean[] allowed = new boolean[ROWS * SUM];
    private final double[] logits =
            random.doubles(ROWS * CHOICES.length * WIDTH, -3, 3).toArray();

    CategoricalActionsTest() {
        for (int row = 0; row < ROWS; row++) {
            int at = row * SUM;
            for (int n : CHOICES) {
                for (int choice = 0; choice < n; choice++) {
                    allowed[at + choice] = random.nextInt(3) > 0;
                }
                allowed[at + random.nextInt(n)] = true;
                at += n;
            }
        }
    }

    /** Probability of a choice among those that are allowed, by the formula. */
    private double probability(double[] x, int row, int part, int choice) {
        int mask = row * SUM + Arrays.stream(CHOICES, 0, part).sum();
        double sum = 0;
        for (int other = 0; other < CHOICES[part]; other++) {
            sum += allowed[mask + other] ? Math.exp(x[logit(row, part, other)]) : 0;
        }
        return choice < CHOICES[part] && allowed[mask + choice] ? Math.exp(x[logit(row, part, choice)]) / sum : 0;
    }

    private static int logit(int row, int part, int choice) {
        return (row * CHOICES.length + part) * WIDTH + choice;
    }

    private Tensor restricted(Tape tape, double[] x) {
        float[] masks = new float[x.length];
        int[] choices = actions.choiceOfOutput();
        for (int i = 0; i < masks.length; i++) {
            int choice = choices[i % choices.length];
            masks[i] = choice >= 0 && allowed[i / choices.length * SUM + choice] ? 0 : StepEncoding.FORBIDDEN;
        }
        return actions.restrict(
                tape.constant(x, ROWS, CHOICES.length * WIDTH), tape.constant(masks, ROWS, CHOICES.length * WIDTH));
    }

    @ParameterizedTest
    @MethodSource("backends")
    void drawsWhatIsAllowedAsOftenAsItsProbabilitySays(Backend backend) {
        try (backend;
                Tape tape = Tape.inference(backend)) {
            Tensor outputs = restricted(tape, logits);
            DeviceArray drawn = tape.allocate(DType.I32, ROWS * CHOICES.length);
            DeviceArray logProbs = tape.allocate(backend.memory().floatType(), ROWS);
            double[] expected = new double[SUM];
            double[] seen = new double[SUM];
            int draws = 40;
            for (int draw = 0; draw < draws; draw++) {
                actions.sample(backend, outputs, new RandomRange(3, draw, 0), drawn, logProbs);
                int[] choices = new int[ROWS * CHOICES.length];
                float[] logs = new float[ROWS];
                backend.memory().download(drawn, choices, 0);
                backend.memory().download(logProbs, logs, 0);
                for (int row = 0; row < ROWS; row++) {
                    double logProb = 0;
                    int column = 0;
                    for (int part = 0; part < CHOICES.length; part++) {
                        int chosen = choices[row * CHOICES.length + part];
                        double p = probability(logits, row, part, chosen);
                        assertThat(p)
                                .as("row %d, part %d, choice %d", row, part, chosen)
                                .isPositive();
                        logProb += Math.log(p);
                        seen[column + chosen]++;
                        for (int choice = 0; choice < CHOICES[part]; choice++) {
                            expected[column + choice] += probability(logits, row, part, choice);
                        }
                        column += CHOICES[part];
                    }
                    assertThat((double) logs[row]).isCloseTo(logProb, within(1e-5));
                }
            }
            for (int column = 0; column < SUM; column++) {
                assertThat(seen[column])
                        .as("column %d", column)
                        .isCloseTo(expected[column], within(4 * Math.sqrt(expected[column])));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("backends")
    void theMostLikelyChoicesAreAllowed(Backend backend) {
        try (backend;
                Tape tape = Tape.inference(backend)) {
            DeviceArray best = tape.allocate(DType.I32, ROWS * CHOICES.length);
            actions.mostLikely(backend, restricted(tape, logits), best);
            int[] choices = new int[ROWS * CHOICES.length];
            backend.memory().download(best, choices, 0);
            for (int i = 0; i < choices.length; i++) {
                int row = i / CHOICES.length;
                int part = i % CHOICES.length;
                for (int choice = 0; choice < CHOICES[part]; choice++) {
                    assertThat(probability(logits, row, part, choices[i]))
                            .isGreaterThanOrEqualTo(probability(logits, row, part, choice) - 1e-6);
                }
            }
        }
    }

    /** The mean of KL(p || q) of what is allowed, and entropy: no choice that is forbidden counts, nor makes them NaN. */
    @ParameterizedTest
    @MethodSource("backends")
    void divergenceAndEntropyAreThoseOfWhatIsAllowed(Backend backend) {
        double[] other = random.doubles(logits.length, -3, 3).toArray();
        try (backend;
                Tape tape = Tape.recording(backend)) {
            double[] divergences = actions.divergence(
                            actions.parameters(restricted(tape, logits)), actions.parameters(restricted(tape, other)))
                    .toDoubles();
            double entropy = 0;
            for (int row = 0; row < ROWS; row++) {
                double divergence = 0;
                for (int part = 0; part < CHOICES.length; part++) {
                    for (int choice = 0; choice < CHOICES[part]; choice++) {
                        double p = probability(logits, row, part, choice);
                        divergence += p > 0 ? p * Math.log(p / probability(other, row, part, choice)) : 0;
                        entropy -= p > 0 ? p * Math.log(p) : 0;
                    }
                }
                assertThat(divergences[row]).isCloseTo(divergence, within(1e-5));
            }
            assertThat(loss(tape, logits, 0).statistics[PpoLoss.ENTROPY]).isCloseTo(entropy, within(1e-5 * entropy));
        }
    }

    private record Evaluated(double[] statistics, double[] gradient) {}

    /** The loss of a fixed minibatch: statistics, and the gradient by the logits. */
    private Evaluated loss(Tape tape, double[] x, float entropyCoef) {
        Backend backend = tape.backend();
        Random fixed = new Random(9);
        int[] taken = new int[ROWS * CHOICES.length];
        double[] old = new double[ROWS];
        for (int row = 0; row < ROWS; row++) {
            for (int part = 0; part < CHOICES.length; part++) {
                int choice;
                do {
                    choice = fixed.nextInt(CHOICES[part]);
                } while (probability(logits, row, part, choice) == 0);
                taken[row * CHOICES.length + part] = choice;
                old[row] += Math.log(probability(logits, row, part, choice));
            }
            old[row] += 0.1 * fixed.nextGaussian();
        }
        double[] advantages = fixed.doubles(ROWS, -1, 1).toArray();
        DeviceArray zeros = tape.constant(new double[ROWS], ROWS).array();
        PpoBatch<DeviceArray> batch = new PpoBatch<>(
                ROWS,
                tape.constantInts(taken, taken.length).array(),
                tape.constant(old, ROWS).array(),
                zeros,
                tape.constant(advantages, ROWS).array(),
                zeros,
                tape.full(0.2, 1).array());
        DeviceArray statistics = tape.allocate(backend.memory().floatType(), PpoLoss.STATISTICS);
        ActionDistribution.Loss loss = actions.loss(
                tape,
                new PpoLoss(entropyCoef, 0, 0, 1f / ROWS),
                new ActorCritic.Outputs(restricted(tape, x), tape.constant(new double[ROWS], ROWS, 1)),
                batch,
                statistics);
        double[] sums = tape.constant(statistics, PpoLoss.STATISTICS).toDoubles();
        return new Evaluated(sums, loss.gradients().get(0).toDoubles());
    }

    /** The gradient against differences of the loss, and exactly 0 where a choice is forbidden. */
    @ParameterizedTest
    @MethodSource("backends")
    void gradientsAreThoseOfWhatIsAllowed(Backend backend) {
        float entropyCoef = 0.3f;
        double[] gradient;
        try (backend;
                Tape tape = Tape.recording(backend)) {
            gradient = loss(tape, logits, entropyCoef).gradient;
        }
        for (int i = 0; i < gradient.length; i++) {
            int choice = i % WIDTH;
            int part = i / WIDTH % CHOICES.length;
            if (probability(logits, i / WIDTH / CHOICES.length, part, choice) == 0) {
                assertThat(gradient[i]).as("element %d", i).isZero();
            }
        }
        double step = 1e-6;
        try (Backend reference = new ReferenceBackend()) {
            for (int i = 0; i < gradient.length; i += 7) {
                double[] value = new double[2];
                for (int side = 0; side < 2; side++) {
                    double[] x = logits.clone();
                    x[i] += side == 0 ? -step : step;
                    try (Tape tape = Tape.recording(reference)) {
                        double[] sums = loss(tape, x, entropyCoef).statistics;
                        value[side] = (sums[PpoLoss.POLICY_LOSS] - entropyCoef * sums[PpoLoss.ENTROPY]) / ROWS;
                    }
                }
                assertThat(gradient[i]).as("element %d", i).isCloseTo((value[1] - value[0]) / (2 * step), within(2e-7));
            }
        }
    }
}
