// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.fovea.env.StepBatch;
import org.junit.jupiter.api.Test;

class EntityGridTest {
    private static final int SIDE = 8;
    private static final int FEATURES = 9;
    private static final int NOWHERE = -1;

    /** What one observation says, with the agent's place. */
    private record World(int agent, int sign, Map<Integer, Integer> colours) {
        static World of(int agent, float[] observation) {
            int sign = NOWHERE;
            Map<Integer, Integer> colours = new HashMap<>();
            int number = (int) observation[observation.length - 1];
            for (int k = 0; k < number; k++) {
                int at = k * FEATURES;
                int colour = Episode.oneHot(observation, at + 3, 6);
                if (observation[at + 2] == 1) {
                    sign = sign == NOWHERE ? colour : fail("two signs");
                } else {
                    int column = agent % SIDE + Math.round(SIDE * observation[at]);
                    int row = agent / SIDE + Math.round(SIDE * observation[at + 1]);
                    Integer other = colours.put(row * SIDE + column, colour);
                    if (other != null) {
                        fail("two items in one cell");
                    }
                }
            }
            float[] rest = Arrays.copyOfRange(observation, number * FEATURES, observation.length - 1);
            assertThat(rest).isEqualTo(new float[rest.length]);
            return new World(agent, sign, colours);
        }

        List<Integer> wanted() {
            List<Integer> cells = new ArrayList<>();
            colours.forEach((cell, colour) -> {
                if (colour == sign) {
                    cells.add(cell);
                }
            });
            return cells;
        }
    }

    private interface Player {
        int choose(World world);
    }

    private static int moved(int cell, int choice) {
        int column = cell % SIDE + new int[] {-1, 1, 0, 0}[choice];
        int row = cell / SIDE + new int[] {0, 0, -1, 1}[choice];
        return Math.min(column, row) < 0 || Math.max(column, row) >= SIDE ? cell : row * SIDE + column;
    }

    @Test
    void rules() {
        EntityGrid batch = new EntityGrid(1);
        StepBatch result = StepBatch.allocate(1, batch.observationSpace().size());
        Random random = new Random(1);
        Set<Integer> numbers = new HashSet<>();
        Set<Integer> agents = new HashSet<>();
        Set<String> orders = new HashSet<>();
        int cut = 0;
        for (int seed = 0; seed < 150; seed++) {
            batch.reset(seed, 0, result.observations());
            World world = World.of(batch.agent[0], result.observations());
            agents.add(world.agent());
            numbers.add(world.colours().size());
            assertThat(world.wanted()).hasSize(2);
            assertThat(world.colours()).doesNotContainKey(world.agent());
            boolean over = false;
            for (int step = 1; !over; step++) {
                Map<Integer, Integer> left = new HashMap<>(world.colours());
                int choice = random.nextInt(4);
                int agent = moved(world.agent(), choice);
                Integer taken = left.remove(agent);
                boolean done = world.wanted().stream().noneMatch(left::containsKey);
                batch.step(new int[] {choice}, new float[0], result);
                over = done || step == 40;
                assertThat(result.rewards()[0]).isEqualTo(taken == null ? 0 : taken == world.sign() ? 0.5f : -0.05f);
                assertThat(result.terminated()[0]).isEqualTo(done);
                assertThat(result.truncated()[0]).isEqualTo(over && !done);
                cut += over && !done ? 1 : 0;
                World next = World.of(agent, over ? result.finalObservations() : result.observations());
                assertThat(next).isEqualTo(new World(agent, world.sign(), left));
                orders.add(result.observations()[2] + "");
                world = next;
            }
        }
        assertThat(cut).isBetween(1, 149);
        assertThat(numbers).hasSize(17).contains(8, 24);
        assertThat(agents).hasSizeGreaterThan(50);
        assertThat(orders).as("the sign is first, or isn't").hasSize(2);
    }

    private static double meanScore(int episodes, Player player) {
        EntityGrid batch = new EntityGrid(1);
        StepBatch result = StepBatch.allocate(1, batch.observationSpace().size());
        double sum = 0;
        for (int seed = 0; seed < episodes; seed++) {
            batch.reset(seed, 0, result.observations());
            boolean over = false;
            while (!over) {
                int choice = player.choose(World.of(batch.agent[0], result.observations()));
                batch.step(new int[] {choice}, new float[0], result);
                sum += result.rewards()[0];
                over = result.terminated()[0] || result.truncated()[0];
            }
        }
        return sum / episodes;
    }

    private static int distance(int a, int b) {
        return Math.abs(a % SIDE - b % SIDE) + Math.abs(a / SIDE - b / SIDE);
    }

    private static int towards(int from, int to) {
        int right = to % SIDE - from % SIDE;
        return right < 0 ? 0 : right > 0 ? 1 : to < from ? 2 : 3;
    }

    private static int nearest(int from, Iterable<Integer> cells) {
        int best = NOWHERE;
        for (int cell : cells) {
            best = best == NOWHERE || distance(from, cell) < distance(from, best) ? cell : best;
        }
        return best;
    }

    /** Of each cell what the way there costs: 1,000 for each item that isn't wanted, 1 for each step. */
    private static int[] costs(int from, World world) {
        int[] costs = new int[SIDE * SIDE];
        Arrays.fill(costs, Integer.MAX_VALUE / 4);
        costs[from] = 0;
        for (boolean changed = true; changed; ) {
            changed = false;
            for (int cell = 0; cell < costs.length; cell++) {
                for (int choice = 0; choice < 4; choice++) {
                    int next = moved(cell, choice);
                    int cost = costs[cell] + cost(next, world);
                    if (cost < costs[next]) {
                        costs[next] = cost;
                        changed = true;
                    }
                }
            }
        }
        return costs;
    }

    private static int cost(int cell, World world) {
        Integer colour = world.colours().get(cell);
        return colour == null || colour == world.sign() ? 1 : 1001;
    }

    /** The next step to both wanted items, in the cheaper order. */
    private static int plan(World world) {
        List<Integer> wanted = world.wanted();
        int[] ahead = costs(world.agent(), world);
        int goal = wanted.get(0);
        if (wanted.size() == 2 && ahead[wanted.get(1)] < ahead[goal]) {
            goal = wanted.get(1);
        }
        int best = 0;
        int least = Integer.MAX_VALUE;
        for (int choice = 0; choice < 4; choice++) {
            int next = moved(world.agent(), choice);
            int cost = cost(next, world) + costs(next, world)[goal];
            if (next != world.agent() && cost < least) {
                least = cost;
                best = choice;
            }
        }
        return best;
    }

    @Test
    void scores() {
        Random random = new Random(2);
        Player nearestOfAny = world ->
                towards(world.agent(), nearest(world.agent(), world.colours().keySet()));
        Player nearestWanted = world -> towards(world.agent(), nearest(world.agent(), world.wanted()));
        // Standard errors: 0.003, 0.005, 0.020, 0.017.
        assertThat(meanScore(60, EntityGridTest::plan)).isCloseTo(0.994, within(0.01));
        assertThat(meanScore(300, nearestWanted)).isCloseTo(0.92, within(0.02));
        assertThat(meanScore(300, nearestOfAny)).isCloseTo(0.52, within(0.06));
        assertThat(meanScore(300, world -> random.nextInt(4))).isCloseTo(0.08, within(0.06));
    }
}
