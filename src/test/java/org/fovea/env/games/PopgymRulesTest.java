// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.Step;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** POPGym's rules, played by random players and replayed by naive code from what was seen. */
class PopgymRulesTest {
    private static final double ROUNDING = 1e-7;

    private static void assertReward(Episode episode, int step, double expected) {
        assertThat((double) episode.steps().get(step).reward())
                .as("step " + step)
                .isCloseTo(expected, within(ROUNDING));
    }

    /** Every step but the last goes on; the last terminates or is truncated. */
    private static void assertEnds(Episode episode, boolean terminated) {
        for (Step step : episode.steps().subList(0, episode.steps().size() - 1)) {
            assertThat(step.terminated() || step.truncated()).isFalse();
        }
        assertThat(episode.last().terminated()).isEqualTo(terminated);
        assertThat(episode.last().truncated()).isEqualTo(!terminated);
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52", "Medium, 416", "Hard, 832"})
    void repeatFirst(String level, int cards) {
        Set<Integer> firsts = new HashSet<>();
        for (int seed = 0; seed < 10; seed++) {
            Episode episode = Episode.play("popgym-RepeatFirst" + level + "-v0", seed, Episode.random(4));
            assertThat(episode.steps()).hasSize(cards - 1);
            assertEnds(episode, true);
            int[] ofSuit = new int[4];
            episode.observations().forEach(observation -> ofSuit[Episode.oneHot(observation, 0, 4)]++);
            assertThat(ofSuit).containsOnly(cards / 4);
            int first = Episode.oneHot(episode.observations().get(0), 0, 4);
            firsts.add(first);
            for (int t = 0; t < cards - 1; t++) {
                assertReward(episode, t, (episode.choice(t) == first ? 1.0 : -1.0) / (cards - 1));
            }
        }
        assertThat(firsts).hasSizeGreaterThan(1);
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52", "Medium, 104", "Hard, 156"})
    void autoencode(String level, int n) {
        for (int seed = 0; seed < 10; seed++) {
            Episode episode = Episode.play("popgym-Autoencode" + level + "-v0", seed, Episode.random(4));
            assertThat(episode.steps()).hasSize(2 * n - 1);
            assertEnds(episode, true);
            int[] suits = new int[n];
            int[] ofSuit = new int[4];
            for (int t = 0; t < 2 * n; t++) {
                int mode = Episode.oneHot(episode.observations().get(t), 0, 2);
                int suit = Episode.oneHot(episode.observations().get(t), 2, 4);
                assertThat(mode).isEqualTo(t < n - 1 ? 1 : 0);
                if (t < n) {
                    suits[t] = suit;
                    ofSuit[suit]++;
                } else {
                    assertThat(suit).isZero();
                }
            }
            assertThat(ofSuit).containsOnly(n / 4);
            for (int t = 0; t < 2 * n - 1; t++) {
                int fromTheEnd = t - (n - 1);
                double reward = fromTheEnd < 0 ? 0 : episode.choice(t) == suits[n - 1 - fromTheEnd] ? 1.0 : -1.0;
                assertReward(episode, t, reward / n);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52, 2", "Medium, 104, 4", "Hard, 208, 13"})
    void countRecall(String level, int n, int faces) {
        for (int seed = 0; seed < 10; seed++) {
            Episode.Player player = Episode.random(n / faces + 1);
            Episode episode = Episode.play("popgym-CountRecall" + level + "-v0", seed, player);
            assertThat(episode.steps()).hasSize(n - 1);
            assertEnds(episode, true);
            int[] values = new int[n];
            int[] queries = new int[n];
            for (int t = 0; t < n; t++) {
                values[t] = Episode.oneHot(episode.observations().get(t), 0, faces);
                queries[t] = Episode.oneHot(episode.observations().get(t), faces, faces);
            }
            for (int face = 0; face < faces; face++) {
                assertThat(count(values, n, face)).isEqualTo(n / faces);
                assertThat(count(queries, n, face)).isEqualTo(n / faces);
            }
            assertThat(values).isNotEqualTo(queries);
            for (int t = 0; t < n - 1; t++) {
                boolean right = episode.choice(t) == count(values, t + 1, queries[t]);
                assertReward(episode, t, (right ? 1.0 : -1.0) / (n - 1));
            }
        }
    }

    private static long count(int[] numbers, int first, int number) {
        return Arrays.stream(numbers, 0, first).filter(x -> x == number).count();
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52", "Medium, 104", "Hard, 156"})
    void higherLower(String level, int n) {
        boolean anyTie = false;
        for (int seed = 0; seed < 10; seed++) {
            Episode episode = Episode.play("popgym-HigherLower" + level + "-v0", seed, Episode.random(2));
            assertThat(episode.steps()).hasSize(n - 1);
            assertEnds(episode, true);
            int[] ofRank = new int[13];
            episode.observations().forEach(observation -> ofRank[Episode.oneHot(observation, 0, 13)]++);
            assertThat(ofRank).containsOnly(n / 13);
            for (int t = 0; t < n - 1; t++) {
                int rank = Episode.oneHot(episode.observations().get(t), 0, 13);
                int next = Episode.oneHot(episode.observations().get(t + 1), 0, 13);
                anyTie |= rank == next;
                boolean right = episode.choice(t) == 0 ? next > rank : next < rank;
                assertReward(episode, t, rank == next ? 0 : (right ? 1.0 : -1.0) / n);
            }
        }
        assertThat(anyTie).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"Easy, 52, 2, 104", "Medium, 104, 2, 208", "Hard, 52, 13, 104"})
    void concentration(String level, int n, int faces, int most) {
        String name = "popgym-Concentration" + level + "-v0";
        for (int seed = 0; seed < 5; seed++) {
            int[] face = new int[n];
            Environment probe = Environments.make(name);
            for (int card = 0; card < n; card++) {
                probe.reset(seed);
                face[card] = Episode.oneHot(probe.step(Action.of(card)).observation(), card * (faces + 1), faces + 1);
            }
            for (int f = 0; f < faces; f++) {
                assertThat(count(face, n, f)).isEqualTo(n / faces);
            }
            // Half of the time something that makes a pair, so that many cards are up.
            Random random = new Random(seed);
            Episode episode = Episode.play(name, seed, soFar -> Action.of(cardForPair(soFar, face, random)));
            assertThat(episode.steps()).hasSizeLessThanOrEqualTo(most);
            Set<Integer> up = new HashSet<>();
            Integer hand = null;
            for (int t = 0; t < episode.steps().size(); t++) {
                int card = episode.choice(t);
                Set<Integer> shown = new HashSet<>(up);
                shown.add(card);
                if (hand != null) {
                    shown.add(hand);
                }
                float[] observation = episode.steps().get(t).observation();
                for (int place = 0; place < n; place++) {
                    assertThat(Episode.oneHot(observation, place * (faces + 1), faces + 1))
                            .isEqualTo(shown.contains(place) ? face[place] : faces);
                }
                double reward = 0;
                if (up.contains(card)) {
                    reward = -(hand == null ? 1.0 : 2.0) / most;
                    hand = null;
                } else if (hand == null) {
                    hand = card;
                } else if (hand != card && face[hand] == face[card]) {
                    reward = 2.0 / n;
                    up.addAll(List.of(hand, card));
                    hand = null;
                } else {
                    reward = -2.0 / most;
                    hand = null;
                }
                assertReward(episode, t, reward);
            }
            assertThat(up.size() == n || episode.steps().size() == most).isTrue();
            assertThat(up).hasSizeGreaterThan(n / 4);
            assertEnds(episode, up.size() == n);
        }
    }

    private static int cardForPair(Episode soFar, int[] face, Random random) {
        int steps = soFar.actions().size();
        if (steps > 0 && random.nextBoolean()) {
            int before = soFar.choice(steps - 1);
            for (int card = 0; card < face.length; card++) {
                boolean down = soFar.newest()[card * (soFar.newest().length / face.length) + face[card]] == 0;
                if (down && card != before && face[card] == face[before]) {
                    return card;
                }
            }
        }
        return random.nextInt(face.length);
    }

    /** Rows and columns of which {@code of} is true of a board, asked at the start of an episode. */
    private interface First {
        boolean of(Step step);
    }

    private static boolean[][] board(String name, int seed, int side, First first) {
        boolean[][] board = new boolean[side][side];
        Environment probe = Environments.make(name);
        for (int row = 0; row < side; row++) {
            for (int column = 0; column < side; column++) {
                probe.reset(seed);
                board[row][column] = first.of(probe.step(Action.ofChoices(row, column)));
            }
        }
        return board;
    }

    private static Episode.Player anywhere(int side, int seed) {
        Random random = new Random(seed);
        return soFar -> Action.ofChoices(random.nextInt(side), random.nextInt(side));
    }

    @ParameterizedTest
    @CsvSource({"Easy, 8", "Medium, 10", "Hard, 12"})
    void battleship(String level, int side) {
        String name = "popgym-Battleship" + level + "-v0";
        double[][] mean = new double[side][side];
        for (int seed = 0; seed < 30; seed++) {
            boolean[][] ships = board(name, seed, side, step -> step.reward() > 0);
            assertThat(canBeCut(ships, List.of(4, 3, 3, 2)))
                    .as("ships of 2, 3, 3, 4")
                    .isTrue();
            Episode episode = Episode.play(name, seed, anywhere(side, seed));
            boolean[][] shot = new boolean[side][side];
            int hits = 0;
            assertThat(Episode.oneHot(episode.observations().get(0), 0, 2)).isZero();
            for (int t = 0; t < episode.steps().size(); t++) {
                int row = episode.actions().get(t).choice(0);
                int column = episode.actions().get(t).choice(1);
                boolean hit = ships[row][column] && !shot[row][column];
                shot[row][column] = true;
                hits += hit ? 1 : 0;
                assertReward(episode, t, hit ? 1.0 / 12 : -1.0 / (side * side - 12));
                assertThat(Episode.oneHot(episode.steps().get(t).observation(), 0, 2))
                        .isEqualTo(hit ? 1 : 0);
            }
            assertThat(hits == 12 || episode.steps().size() == side * side).isTrue();
            assertEnds(episode, hits == 12);
            for (int row = 0; row < side; row++) {
                for (int column = 0; column < side; column++) {
                    mean[row][column] += ships[row][column] ? 1 : 0;
                }
            }
        }
        assertThat(Arrays.stream(mean)
                        .filter(row -> Arrays.stream(row).sum() > 0)
                        .count())
                .isEqualTo(side);
    }

    /** Whether the fields are ships of these lengths and nothing else. */
    private static boolean canBeCut(boolean[][] fields, List<Integer> ships) {
        int side = fields.length;
        if (ships.isEmpty()) {
            return Arrays.stream(fields).noneMatch(row -> contains(row));
        }
        for (int at = 0; at < 2 * side * side; at++) {
            int row = at / 2 / side;
            int column = at / 2 % side;
            boolean[][] rest = Arrays.stream(fields).map(boolean[]::clone).toArray(boolean[][]::new);
            boolean fits = true;
            for (int part = 0; part < ships.get(0); part++) {
                int r = row + (at % 2) * part;
                int c = column + (1 - at % 2) * part;
                fits &= r < side && c < side && fields[Math.min(r, side - 1)][Math.min(c, side - 1)];
                if (fits) {
                    rest[r][c] = false;
                }
            }
            if (fits && canBeCut(rest, ships.subList(1, ships.size()))) {
                return true;
            }
        }
        return false;
    }

    private static boolean contains(boolean[] row) {
        boolean any = false;
        for (boolean field : row) {
            any |= field;
        }
        return any;
    }

    @ParameterizedTest
    @CsvSource({"Easy, 4, 2, 3", "Medium, 6, 6, 7", "Hard, 8, 10, 10"})
    void mineSweeper(String level, int side, int mines, int counts) {
        String name = "popgym-MineSweeper" + level + "-v0";
        int clear = side * side - mines;
        for (int seed = 0; seed < 30; seed++) {
            boolean[][] mine = board(name, seed, side, Step::terminated);
            assertThat(minesIn(mine, 0, 0, side)).isEqualTo(mines);
            Random random = new Random(seed);
            Episode.Player careful = soFar -> {
                int row = random.nextInt(side);
                int column = random.nextInt(side);
                return mine[row][column] && random.nextInt(20) > 0
                        ? soFar.actions().isEmpty()
                                ? Action.ofChoices(row, column)
                                : soFar.actions().get(0)
                        : Action.ofChoices(row, column);
            };
            Episode episode = Episode.play(name, seed, careful);
            assertThat(Episode.oneHot(episode.observations().get(0), 0, counts)).isZero();
            Set<Integer> clicked = new HashSet<>();
            boolean lost = false;
            for (int t = 0; t < episode.steps().size(); t++) {
                int row = episode.actions().get(t).choice(0);
                int column = episode.actions().get(t).choice(1);
                assertThat(lost).isFalse();
                lost = mine[row][column];
                boolean isNew = clicked.add(row * side + column);
                assertReward(episode, t, lost ? -0.5 - 1.0 / clear : isNew ? 1.0 / clear : -0.5 / (clear - 2));
                assertThat(Episode.oneHot(episode.steps().get(t).observation(), 0, counts))
                        .isEqualTo(minesIn(mine, row - 1, column - 1, 3));
            }
            assertEnds(episode, lost || clicked.size() == clear);
            assertThat(episode.steps()).hasSizeLessThanOrEqualTo(clear);
            if (!lost && clicked.size() < clear) {
                assertThat(episode.steps()).hasSize(clear);
            }
            // Whoever knows where the mines are wins everything, in as few clicks as there may be.
            Episode perfect = Episode.play(name, seed, soFar -> {
                int left = soFar.actions().size();
                for (int field = 0; ; field++) {
                    if (!mine[field / side][field % side] && left-- == 0) {
                        return Action.ofChoices(field / side, field % side);
                    }
                }
            });
            assertThat(perfect.score()).isCloseTo(1, within(1e-5));
            assertEnds(perfect, true);
        }
    }

    private static int minesIn(boolean[][] mine, int row, int column, int side) {
        int found = 0;
        for (int r = Math.max(0, row); r < Math.min(mine.length, row + side); r++) {
            for (int c = Math.max(0, column); c < Math.min(mine.length, column + side); c++) {
                found += mine[r][c] ? 1 : 0;
            }
        }
        return found;
    }

    @ParameterizedTest
    @CsvSource({"Easy, 10, 200", "Medium, 20, 400", "Hard, 30, 600"})
    void multiarmedBandit(String level, int arms, int steps) {
        double spread = 0;
        double mean = 0;
        int episodes = 40;
        for (int seed = 0; seed < episodes; seed++) {
            int arm = seed % arms;
            Episode episode = Episode.play("popgym-MultiarmedBandit" + level + "-v0", seed, soFar -> Action.of(arm));
            assertThat(episode.steps()).hasSize(steps);
            assertEnds(episode, false);
            assertThat(Episode.oneHot(episode.observations().get(0), 0, 2)).isZero();
            for (int t = 0; t < steps; t++) {
                boolean paid = Episode.oneHot(episode.steps().get(t).observation(), 0, 2) == 1;
                assertReward(episode, t, (paid ? 1.0 : -1.0) / steps);
            }
            mean += episode.score() / episodes;
            spread += episode.score() * episode.score() / episodes;
        }
        // An arm's chance is uniform and stays the same: scores have mean 0 and variance 1/3, and not 1 / steps.
        assertThat(mean).isCloseTo(0, within(0.35));
        assertThat(spread).isBetween(0.19, 0.5);
    }
}
