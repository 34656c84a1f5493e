// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import org.fovea.env.Action;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What POPGym's games pay to players who remember nothing, something or everything. The scores were computed by playing the
 * rules in another program, within about 0.01.
 */
class PopgymScoresTest {
    private static final double EXACT = 1e-5;

    private static String name(String game, String level) {
        return "popgym-" + game + level + "-v0";
    }

    private static int seen(float[] observation, int at, int n) {
        return Episode.oneHot(observation, at, n);
    }

    /** The suit that was dealt most often so far. */
    private static int mostFrequentSuit(List<float[]> observations) {
        int[] counts = new int[4];
        observations.forEach(observation -> counts[seen(observation, 0, 4)]++);
        int best = 0;
        for (int suit = 1; suit < 4; suit++) {
            best = counts[suit] > counts[best] ? suit : best;
        }
        return best;
    }

    @ParameterizedTest
    @CsvSource({"Easy, 4, -0.34", "Medium, 32, -0.43", "Hard, 64, -0.44"})
    void repeatPrevious(String level, int k, double byCounting) {
        String name = name("RepeatPrevious", level);
        Episode.Player remembering =
                Episode.choosing(seen -> seen.size() < k ? 0 : seen(seen.get(seen.size() - k), 0, 4));
        assertThat(Episode.meanScore(name, 5, remembering)).isCloseTo(1, within(EXACT));
        Episode.Player counting = Episode.choosing(PopgymScoresTest::mostFrequentSuit);
        assertThat(Episode.meanScore(name, 300, counting)).isCloseTo(byCounting, within(0.02));
        assertThat(Episode.meanScore(name, 200, Episode.random(4))).isCloseTo(-0.5, within(0.03));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 100", "Medium, 20", "Hard, 10"})
    void repeatFirst(String level, int episodes) {
        String name = name("RepeatFirst", level);
        Episode.Player remembering = Episode.choosing(seen -> seen(seen.get(0), 0, 4));
        assertThat(Episode.meanScore(name, 5, remembering)).isCloseTo(1, within(1e-4));
        assertThat(Episode.meanScore(name, episodes, Episode.random(4))).isCloseTo(-0.5, within(0.06));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52, 0.42", "Medium, 104, -0.04", "Hard, 156, -0.19"})
    void autoencode(String level, int n, double windowOf64) {
        String name = name("Autoencode", level);
        assertThat(Episode.meanScore(name, 5, Episode.choosing(seen -> recite(seen, n, 1000))))
                .isCloseTo(1, within(EXACT));
        assertThat(Episode.meanScore(name, 100, Episode.choosing(seen -> recite(seen, n, 64))))
                .isCloseTo(windowOf64, within(0.05));
        assertThat(Episode.meanScore(name, 200, Episode.random(4))).isCloseTo(-0.5, within(0.03));
    }

    /** The card to name if it is among the newest {@code window} observations, else suit 0. */
    private static int recite(List<float[]> seen, int n, int window) {
        int card = n - 1 - (seen.size() - n);
        boolean recalls = card >= 0 && card < n && card >= seen.size() - window;
        return recalls ? seen(seen.get(card), 2, 4) : 0;
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52, 2, -0.93, -0.45", "Medium, 104, 4, -0.93, -0.51", "Hard, 208, 13, -0.88, -0.42"})
    void countRecall(String level, int n, int faces, double random, double ofTime) {
        String name = name("CountRecall", level);
        Episode.Player counting = Episode.choosing(seen -> {
            int asked = seen(seen.get(seen.size() - 1), faces, faces);
            return (int) seen.stream().filter(s -> seen(s, 0, faces) == asked).count();
        });
        Episode.Player timing = Episode.choosing(seen -> Math.round((float) seen.size() / faces));
        assertThat(Episode.meanScore(name, 5, counting)).isCloseTo(1, within(EXACT));
        assertThat(Episode.meanScore(name, 200, timing)).isCloseTo(ofTime, within(0.05));
        assertThat(Episode.meanScore(name, 200, Episode.random(n / faces + 1))).isCloseTo(random, within(0.02));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 1, 0.497, 0.527", "Medium, 2, 0.497, 0.516", "Hard, 3, 0.496, 0.510"})
    void higherLower(String level, int decks, double byRank, double byCounting) {
        String name = name("HigherLower", level);
        Episode.Player ranking = Episode.choosing(seen -> seen(seen.get(seen.size() - 1), 0, 13) < 6 ? 0 : 1);
        Episode.Player counting = Episode.choosing(seen -> {
            int[] left = new int[13];
            Arrays.fill(left, 4 * decks);
            seen.forEach(s -> left[seen(s, 0, 13)]--);
            int newest = seen(seen.get(seen.size() - 1), 0, 13);
            return Arrays.stream(left, newest + 1, 13).sum()
                            >= Arrays.stream(left, 0, newest).sum()
                    ? 0
                    : 1;
        });
        // Standard errors at 300 episodes: 0.008, 0.006, 0.005.
        assertThat(Episode.meanScore(name, 300, ranking)).isCloseTo(byRank, within(0.025));
        assertThat(Episode.meanScore(name, 300, counting)).isCloseTo(byCounting, within(0.025));
        assertThat(Episode.meanScore(name, 300, Episode.random(2))).isCloseTo(0, within(0.025));
    }

    @ParameterizedTest
    @CsvSource({
        "Easy, 52, 2, -0.19, 0.45, 0.82",
        "Medium, 104, 2, -0.19, 0.46, 0.81",
        "Hard, 52, 13, -0.84, -0.81, 0.70"
    })
    void concentration(String level, int n, int faces, double random, double ofDown, double perfect) {
        String name = name("Concentration", level);
        Random random1 = new Random(1);
        Episode.Player anyDown = soFar -> {
            int card;
            do {
                card = random1.nextInt(n);
            } while (seen(soFar.newest(), card * (faces + 1), faces + 1) < faces);
            return Action.of(card);
        };
        assertThat(Episode.meanScore(name, 60, Episode.random(n))).isCloseTo(random, within(0.05));
        assertThat(Episode.meanScore(name, 60, anyDown)).isCloseTo(ofDown, within(0.05));
        assertThat(Episode.meanScore(name, 60, () -> new PairFinder(n, faces))).isCloseTo(perfect, within(0.05));
    }

    /** Remembers every card: turns a pair if it knows one, else a new card and what matches it, else another new one. */
    private static final class PairFinder implements Episode.Player {
        private final int n;
        private final int faces;
        private final int[] known;
        private final boolean[] up;
        private int first = -1;

        PairFinder(int n, int faces) {
            this.n = n;
            this.faces = faces;
            known = new int[n];
            up = new boolean[n];
            Arrays.fill(known, -1);
        }

        @Override
        public Action act(Episode soFar) {
            for (int card = 0; card < n; card++) {
                int face = seen(soFar.newest(), card * (faces + 1), faces + 1);
                known[card] = face < faces ? face : known[card];
            }
            int steps = soFar.actions().size();
            if (steps > 0 && soFar.last().reward() > 0) {
                up[soFar.choice(steps - 1)] = true;
                up[soFar.choice(steps - 2)] = true;
            }
            int card = first < 0 ? firstOfPair() : partner(first);
            first = first < 0 ? card : -1;
            return Action.of(card);
        }

        private int firstOfPair() {
            for (int card = 0; card < n; card++) {
                if (!up[card] && known[card] >= 0 && knownPartner(card) >= 0) {
                    return card;
                }
            }
            return unknown(-1);
        }

        private int partner(int card) {
            int partner = knownPartner(card);
            return partner >= 0 ? partner : unknown(card);
        }

        private int knownPartner(int card) {
            for (int other = 0; other < n; other++) {
                if (other != card && !up[other] && known[other] == known[card]) {
                    return other;
                }
            }
            return -1;
        }

        private int unknown(int but) {
            for (int card = 0; card < n; card++) {
                if (card != but && known[card] < 0) {
                    return card;
                }
            }
            return 0;
        }
    }

    /** Each field once, in a random order. */
    private static Supplier<Episode.Player> everyFieldOnce(int side) {
        Random random = new Random(4);
        return () -> {
            List<Integer> fields = new ArrayList<>();
            for (int field = 0; field < side * side; field++) {
                fields.add(random.nextInt(field + 1), field);
            }
            return soFar -> {
                int field = fields.get(soFar.actions().size());
                return Action.ofChoices(field / side, field % side);
            };
        };
    }

    private static Episode.Player anyField(int side) {
        Random random = new Random(5);
        return soFar -> Action.ofChoices(random.nextInt(side), random.nextInt(side));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 8, -0.45, 0.47", "Medium, 10, -0.42, 0.52", "Hard, 12, -0.39, 0.55"})
    void battleship(String level, int side, double random, double hunting) {
        String name = name("Battleship", level);
        assertThat(Episode.meanScore(name, 200, anyField(side))).isCloseTo(random, within(0.05));
        assertThat(Episode.meanScore(name, 400, everyFieldOnce(side))).isCloseTo(0.08, within(0.03));
        Random chance = new Random(6);
        assertThat(Episode.meanScore(name, 200, () -> soFar -> hunt(soFar, side, chance)))
                .isCloseTo(hunting, within(0.06));
    }

    /** A field not shot at beside one that was hit, else one that is black on a chess board, else any. */
    private static Action hunt(Episode soFar, int side, Random chance) {
        boolean[] shot = new boolean[side * side];
        boolean[] near = new boolean[side * side];
        for (int t = 0; t < soFar.actions().size(); t++) {
            int row = soFar.actions().get(t).choice(0);
            int column = soFar.actions().get(t).choice(1);
            shot[row * side + column] = true;
            if (soFar.steps().get(t).reward() > 0) {
                for (int[] step : new int[][] {{0, 1}, {1, 0}, {0, -1}, {-1, 0}}) {
                    int r = row + step[0];
                    int c = column + step[1];
                    if (r >= 0 && r < side && c >= 0 && c < side) {
                        near[r * side + c] = true;
                    }
                }
            }
        }
        List<Integer> best = new ArrayList<>();
        int bestKind = -1;
        for (int field = 0; field < side * side; field++) {
            int kind = near[field] ? 2 : (field / side + field % side) % 2;
            if (!shot[field] && kind >= bestKind) {
                if (kind > bestKind) {
                    best.clear();
                }
                bestKind = kind;
                best.add(field);
            }
        }
        int field = best.get(chance.nextInt(best.size()));
        return Action.ofChoices(field / side, field % side);
    }

    @ParameterizedTest
    @CsvSource({"Easy, 4, -0.24, -0.23", "Medium, 6, -0.40, -0.39", "Hard, 8, -0.43, -0.43"})
    void mineSweeper(String level, int side, double random, double neverTwice) {
        String name = name("MineSweeper", level);
        // Standard error at 1,000 episodes: 0.011, 0.006, 0.005.
        assertThat(Episode.meanScore(name, 1000, anyField(side))).isCloseTo(random, within(0.03));
        assertThat(Episode.meanScore(name, 1000, everyFieldOnce(side))).isCloseTo(neverTwice, within(0.03));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 10, 0.46, 0.70", "Medium, 20, 0.56, 0.79", "Hard, 30, 0.59, 0.82"})
    void multiarmedBandit(String level, int arms, double winStay, double bound) {
        String name = name("MultiarmedBandit", level);
        Random random = new Random(7);
        Episode.Player stay = soFar -> {
            int steps = soFar.actions().size();
            boolean won = steps > 0 && soFar.last().reward() > 0;
            return Action.of(won ? soFar.choice(steps - 1) : random.nextInt(arms));
        };
        assertThat(Episode.meanScore(name, 100, Episode.random(arms))).isCloseTo(0, within(0.05));
        assertThat(Episode.meanScore(name, 100, stay)).isCloseTo(winStay, within(0.05));
        assertThat(Episode.meanScore(name, 100, () -> new UpperBound(arms))).isCloseTo(bound, within(0.05));
    }

    /** Pulls the arm with the highest mean, 0.3 standard errors or so above what was seen. */
    private static final class UpperBound implements Episode.Player {
        private final int[] pulls;
        private final int[] paid;

        UpperBound(int arms) {
            pulls = new int[arms];
            paid = new int[arms];
        }

        @Override
        public Action act(Episode soFar) {
            int steps = soFar.actions().size();
            if (steps > 0) {
                int arm = soFar.choice(steps - 1);
                pulls[arm]++;
                paid[arm] += soFar.last().reward() > 0 ? 1 : 0;
            }
            int best = 0;
            double highest = Double.NEGATIVE_INFINITY;
            for (int arm = 0; arm < pulls.length; arm++) {
                double bound = pulls[arm] == 0
                        ? Double.POSITIVE_INFINITY
                        : (double) paid[arm] / pulls[arm] + 0.3 * Math.sqrt(Math.log(steps + 1) / pulls[arm]);
                if (bound > highest) {
                    highest = bound;
                    best = arm;
                }
            }
            return Action.of(best);
        }
    }

    @ParameterizedTest
    @CsvSource({"Easy, 200, 0.11, 0.21", "Medium, 400, 0.06, 0.10", "Hard, 600, 0.04, 0.07"})
    void partialCartPole(String level, int steps, double random, double bySign) {
        for (String variables : List.of("Position", "Velocity")) {
            String name = name(variables + "OnlyCartPole", level);
            assertThat(Episode.meanScore(name, 400, Episode.random(2))).isCloseTo(random, within(0.015));
            assertThat(Episode.play(name, 1, Episode.random(2)).steps().get(3).reward())
                    .isEqualTo(1f / steps);
        }
        String name = name("PositionOnlyCartPole", level);
        Episode.Player sign = soFar -> Action.of(soFar.newest()[1] > 0 ? 1 : 0);
        assertThat(Episode.meanScore(name, 200, sign)).isCloseTo(bySign, within(0.02));
        Episode difference = Episode.play(name, 1, PopgymScoresTest::byDifference);
        assertThat(difference.steps()).hasSize(steps);
        assertThat(difference.last().truncated()).isTrue();
        assertThat(Episode.meanScore(name, 10, PopgymScoresTest::byDifference)).isCloseTo(1, within(1e-4));
    }

    /** Balances by the velocities that two observations imply. */
    private static Action byDifference(Episode soFar) {
        float[] now = soFar.newest();
        int steps = soFar.observations().size();
        float[] before = soFar.observations().get(Math.max(0, steps - 2));
        double xDot = (now[0] - before[0]) / 0.02;
        double thetaDot = (now[1] - before[1]) / 0.02;
        return Action.of(now[1] + 0.3 * thetaDot + 0.01 * now[0] + 0.02 * xDot > 0 ? 1 : 0);
    }

    @ParameterizedTest
    @CsvSource({"Easy, 0.1, 0.24, 0.16", "Medium, 0.2, 0.21, 0.15", "Hard, 0.3, 0.17, 0.15"})
    void noisyCartPole(String level, double sigma, double bySign, double byDifference) {
        String name = name("NoisyPositionOnlyCartPole", level);
        Episode.Player sign = soFar -> Action.of(soFar.newest()[1] > 0 ? 1 : 0);
        assertThat(Episode.meanScore(name, 400, Episode.random(2))).isCloseTo(0.11, within(0.015));
        assertThat(Episode.meanScore(name, 400, sign)).isCloseTo(bySign, within(0.03));
        // The angle begins within 0.05 of 0, and is clipped to 24 degrees.
        double limit = 2 * 12 * Math.PI / 180;
        double sum = 0;
        double squares = 0;
        for (int seed = 0; seed < 500; seed++) {
            float[] first =
                    Episode.play(name, seed, Episode.random(2)).observations().get(0);
            assertThat(Math.abs(first[1])).isLessThanOrEqualTo((float) limit);
            sum += first[0] / 500;
            squares += first[0] * first[0] / 500;
        }
        // x is uniform in (-0.05, 0.05) and hardly ever clipped.
        assertThat(sum).isCloseTo(0, within(4 * sigma / Math.sqrt(500)));
        assertThat(Math.sqrt(squares)).isCloseTo(Math.hypot(sigma, 0.05 / Math.sqrt(3)), within(0.12 * sigma));
    }

    @ParameterizedTest
    @CsvSource({
        "PositionOnlyPendulum, Easy, 200, 0.24",
        "PositionOnlyPendulum, Medium, 150, 0.25",
        "PositionOnlyPendulum, Hard, 100, 0.23",
        "NoisyPositionOnlyPendulum, Easy, 200, 0.24",
        "NoisyPositionOnlyPendulum, Medium, 200, 0.24",
        "NoisyPositionOnlyPendulum, Hard, 200, 0.24"
    })
    void partialPendulum(String game, String level, int steps, double random) {
        Random chance = new Random(8);
        Episode.Player anyTorque = soFar -> Action.of(chance.nextFloat() * 4 - 2);
        Episode episode = Episode.play(name(game, level), 1, anyTorque);
        assertThat(episode.steps()).hasSize(steps);
        assertThat(episode.last().truncated()).isTrue();
        for (float[] observation : episode.observations()) {
            double radius = Math.hypot(observation[0], observation[1]);
            if (game.startsWith("Noisy")) {
                assertThat(observation).hasSize(2);
            } else {
                assertThat(radius).isCloseTo(1, within(1e-6));
            }
            assertThat(Math.max(Math.abs(observation[0]), Math.abs(observation[1])))
                    .isLessThanOrEqualTo(1);
        }
        // The spread of returns is 0.18.
        assertThat(Episode.meanScore(name(game, level), 400, anyTorque)).isCloseTo(random, within(0.04));
    }
}
