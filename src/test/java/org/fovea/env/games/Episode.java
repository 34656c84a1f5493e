// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Supplier;
import java.util.function.ToIntFunction;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Environments;
import org.fovea.env.Step;

/** An episode of a built-in environment, played from outside. */
record Episode(List<float[]> observations, List<Action> actions, List<Step> steps) {

    /** Acts by what it has seen and done so far. */
    interface Player {
        Action act(Episode soFar);
    }

    /** One who chooses by all observations so far. */
    static Player choosing(ToIntFunction<List<float[]>> choice) {
        return soFar -> Action.of(choice.applyAsInt(soFar.observations()));
    }

    /** One who chooses uniformly from {@code n}. */
    static Player random(int n) {
        Random random = new Random(3);
        return soFar -> Action.of(random.nextInt(n));
    }

    static Episode play(String name, long seed, Player player) {
        return play(Environments.make(name), seed, player);
    }

    private static Episode play(Environment environment, long seed, Player player) {
        Episode episode = new Episode(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        episode.observations().add(environment.reset(seed));
        boolean over = false;
        while (!over) {
            Action action = player.act(episode);
            Step step = environment.step(action);
            episode.actions().add(action);
            episode.steps().add(step);
            episode.observations().add(step.observation());
            over = step.terminated() || step.truncated();
        }
        return episode;
    }

    /** Mean score of a player who remembers nothing from one episode to the next. */
    static double meanScore(String name, int episodes, Player player) {
        return meanScore(name, episodes, () -> player);
    }

    /** Mean score of players who play one episode each. */
    static double meanScore(String name, int episodes, Supplier<Player> players) {
        Environment environment = Environments.make(name);
        double sum = 0;
        for (int seed = 0; seed < episodes; seed++) {
            sum += play(environment, seed, players.get()).score();
        }
        return sum / episodes;
    }

    double score() {
        return steps.stream().mapToDouble(Step::reward).sum();
    }

    int choice(int step) {
        return actions.get(step).choice();
    }

    float[] newest() {
        return observations.get(observations.size() - 1);
    }

    Step last() {
        return steps.get(steps.size() - 1);
    }

    /** Which of {@code n} numbers from {@code at} on is 1, where the others are 0. */
    static int oneHot(float[] observation, int at, int n) {
        int found = -1;
        for (int j = 0; j < n; j++) {
            float number = observation[at + j];
            if (number == 1 && found < 0) {
                found = j;
            } else if (number != 0) {
                throw new AssertionError("not one-hot: " + number + " at " + (at + j));
            }
        }
        if (found < 0) {
            throw new AssertionError("not one-hot: no 1 from " + at + " on");
        }
        return found;
    }
}
