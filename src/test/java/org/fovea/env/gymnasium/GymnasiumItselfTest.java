// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.gymnasium;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Both directions with Gymnasium as it is, where python3 has it. */
@Tag("integration")
@Timeout(180)
class GymnasiumItselfTest {
    @BeforeAll
    static void gymnasiumIsInstalled() throws Exception {
        assumeTrue(
                GymnasiumBatchTest.has("gymnasium"),
                "python3 with gymnasium is not installed (pip install gymnasium): nothing is played with it");
    }

    private static VectorEnvironment create(
            String id, Map<String, String> arguments, List<String> wrappers, int count) {
        return Environments.get(new GymnasiumName(id, arguments, wrappers, null).toString())
                .create(count);
    }

    @Test
    void cartPole() {
        try (VectorEnvironment batch = create("CartPole-v1", Map.of("max_episode_steps", "3"), List.of(), 3)) {
            assertThat(batch.actionSpace()).isEqualTo(new Space.Discrete(2));
            StepBatch result = StepBatch.allocate(3, 4);
            batch.reset(1, 0, result.observations());
            assertThat(result.observations()[0]).isNotZero().isBetween(-0.05f, 0.05f);
            for (int step = 1; step <= 3; step++) {
                batch.step(new int[] {0, 1, 0}, new float[0], result);
                assertThat(result.truncated()).containsOnly(step == 3);
            }
            // Three pushes to the left, of 0.195 m/s each.
            assertThat(result.finalObservations()[1]).isBetween(-0.65f, -0.5f);
            assertThat(result.finalObservations()[5]).isBetween(0.5f, 0.65f);
            assertThat(result.observations()[1]).isBetween(-0.05f, 0.05f);
        }
    }

    @Test
    void argumentsAndWrappers() {
        try (VectorEnvironment batch =
                create("Pendulum-v1", Map.of("g", "5.0"), List.of("gymnasium.wrappers:DtypeObservation"), 1)) {
            throw new AssertionError("a wrapper without its argument was made: " + batch);
        } catch (org.fovea.env.EnvironmentException e) {
            assertThat(e).hasMessageContaining("make raised TypeError");
        }
        try (VectorEnvironment batch =
                create("Pendulum-v1", Map.of("g", "5.0"), List.of("gymnasium.wrappers:FlattenObservation"), 2)) {
            StepBatch result = StepBatch.allocate(2, 3);
            batch.reset(1, 0, result.observations());
            batch.step(new int[0], new float[] {2, -2}, result);
            assertThat(result.rewards()[0]).isNegative();
        }
    }

    @Test
    void javaPlayedFromPython() throws Exception {
        Process process = new ProcessBuilder(
                        "python3",
                        Path.of("src/test/python/fovea_vector_env_check.py").toString(),
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--add-modules",
                        "jdk.incubator.vector",
                        "-cp",
                        System.getProperty("java.class.path"),
                        "org.fovea.cli.Fovea")
                .redirectErrorStream(true)
                .start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).endsWith("passed\n");
    }
}
