// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.junit.jupiter.api.Test;

/** Trajectories that Gymnasium produced (src/test/python/gymnasium_trajectories.py), played again from its states. */
class GymnasiumTest {

    /** A few units in the last place of float32: Java's sine and NumPy's may differ in the last place of float64. */
    private static final double TOLERANCE = 1e-6;

    @Test
    void cartPoleFollowsGymnasium() throws IOException {
        CartPole batch = new CartPole(1);
        StepBatch result = start(batch);
        for (String[] line : lines("cartpole.txt")) {
            if (line[0].equals("start")) {
                batch.position[0] = Double.parseDouble(line[1]);
                batch.velocity[0] = Double.parseDouble(line[2]);
                batch.angle[0] = Double.parseDouble(line[3]);
                batch.angularVelocity[0] = Double.parseDouble(line[4]);
            } else {
                batch.step(new int[] {Integer.parseInt(line[1])}, new float[0], result);
                compare(result, line, 4);
            }
        }
    }

    @Test
    void pendulumFollowsGymnasium() throws IOException {
        Pendulum batch = new Pendulum(1);
        StepBatch result = start(batch);
        for (String[] line : lines("pendulum.txt")) {
            if (line[0].equals("start")) {
                batch.angle[0] = Double.parseDouble(line[1]);
                batch.angularVelocity[0] = Double.parseDouble(line[2]);
            } else {
                batch.step(new int[0], new float[] {Float.parseFloat(line[1])}, result);
                compare(result, line, 3);
            }
        }
    }

    @Test
    void acrobotFollowsGymnasium() throws IOException {
        Acrobot batch = new Acrobot(1);
        StepBatch result = start(batch);
        for (String[] line : lines("acrobot.txt")) {
            if (line[0].equals("start")) {
                batch.angle1[0] = Double.parseDouble(line[1]);
                batch.angle2[0] = Double.parseDouble(line[2]);
                batch.velocity1[0] = Double.parseDouble(line[3]);
                batch.velocity2[0] = Double.parseDouble(line[4]);
            } else {
                batch.step(new int[] {Integer.parseInt(line[1])}, new float[0], result);
                compare(result, line, 6);
            }
        }
    }

    @Test
    void mountainCarFollowsGymnasium() throws IOException {
        MountainCar batch = new MountainCar(1);
        StepBatch result = start(batch);
        for (String[] line : lines("mountain_car.txt")) {
            if (line[0].equals("start")) {
                batch.position[0] = Double.parseDouble(line[1]);
                batch.velocity[0] = Double.parseDouble(line[2]);
            } else {
                batch.step(new int[] {Integer.parseInt(line[1])}, new float[0], result);
                compare(result, line, 2);
            }
        }
    }

    @Test
    void mountainCarContinuousFollowsGymnasium() throws IOException {
        MountainCarContinuous batch = new MountainCarContinuous(1);
        StepBatch result = start(batch);
        for (String[] line : lines("mountain_car_continuous.txt")) {
            if (line[0].equals("start")) {
                batch.position[0] = Double.parseDouble(line[1]);
                batch.velocity[0] = Double.parseDouble(line[2]);
            } else {
                batch.step(new int[0], new float[] {Float.parseFloat(line[1])}, result);
                compare(result, line, 2);
            }
        }
    }

    private static StepBatch start(VectorEnvironment batch) {
        StepBatch result = StepBatch.allocate(1, batch.observationSpace().size());
        batch.reset(0, 0, result.observations());
        return result;
    }

    /** A line is: step, action, observation of {@code size} numbers, reward, terminated, truncated. */
    private static void compare(StepBatch result, String[] line, int size) {
        boolean terminated = Boolean.parseBoolean(line[3 + size]);
        boolean truncated = Boolean.parseBoolean(line[4 + size]);
        float[] observation = terminated || truncated ? result.finalObservations() : result.observations();
        String step = String.join(" ", line);
        for (int j = 0; j < size; j++) {
            double expected = Double.parseDouble(line[2 + j]);
            assertThat((double) observation[j])
                    .as(step)
                    .isCloseTo(expected, within(TOLERANCE * (1 + Math.abs(expected))));
        }
        double reward = Double.parseDouble(line[2 + size]);
        assertThat((double) result.rewards()[0]).as(step).isCloseTo(reward, within(TOLERANCE * (1 + Math.abs(reward))));
        assertThat(result.terminated()[0]).as(step).isEqualTo(terminated);
        assertThat(result.truncated()[0]).as(step).isEqualTo(truncated);
    }

    private static List<String[]> lines(String resource) throws IOException {
        try (InputStream in = Objects.requireNonNull(GymnasiumTest.class.getResourceAsStream(resource))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> !line.startsWith("#"))
                    .map(line -> line.split(" "))
                    .toList();
        }
    }
}
