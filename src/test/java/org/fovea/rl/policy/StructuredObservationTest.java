// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.SavesState;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Observations with named parts, entities and pictures, on their way through normaliser and network. */
@Tag("integration")
class StructuredObservationTest {
    private static final String NAME = "StructuredObservationTest-v0";

    @TempDir
    Path directory;

    @BeforeAll
    static void register() {
        Environments.register(NAME, "random, but for a pixel that says what to do", WhitePixel::new);
    }

    /** A pixel is white where action 1 is due; entities come and go. */
    private static final class WhitePixel implements Environment, SavesState {
        private long seed;
        private int steps;
        private int wanted;

        @Override
        public Space observationSpace() {
            Map<String, Space> parts = new LinkedHashMap<>();
            parts.put("kind", new Space.Discrete(3));
            parts.put("things", new Space.Entities(4, 2));
            parts.put("picture", new Space.Image(1, 4, 5));
            parts.put("speed", new Space.Box(1, -1000, 1000));
            return new Space.Dict(parts);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        private float[] observe() {
            Random random = new Random(seed + 31L * steps);
            float[] kind = new float[3];
            kind[random.nextInt(3)] = 1;
            int count = random.nextInt(5);
            float[] things = new float[9];
            for (int i = 0; i < 2 * count; i++) {
                things[i] = 500 + 100 * (float) random.nextGaussian();
            }
            things[8] = count;
            float[] picture = new float[20];
            wanted = random.nextInt(2);
            picture[7] = 255 * wanted;
            return ((Space.Dict) observationSpace())
                    .flatten(Map.of(
                            "kind", kind,
                            "things", things,
                            "picture", picture,
                            "speed", new float[] {300 + random.nextFloat()}));
        }

        @Override
        public float[] reset(long newSeed) {
            seed = newSeed;
            steps = 0;
            return observe();
        }

        @Override
        public Step step(Action action) {
            float reward = action.choice() == wanted ? 1 : 0;
            steps++;
            float[] observation = observe();
            return steps == 9 ? Step.terminated(observation, reward) : Step.of(observation, reward);
        }

        @Override
        public void saveState(DataOutput out) throws IOException {
            out.writeLong(seed);
            out.writeInt(steps);
        }

        @Override
        public void restoreState(DataInput in) throws IOException {
            seed = in.readLong();
            steps = in.readInt();
            observe();
        }
    }

    /** Acting and learning see the same network, whatever it is made of. */
    @ParameterizedTest
    @CsvSource({"mlp", "attention", "gru"})
    void firstRatiosAreOne(String policy) {
        Map<String, String> settings = Map.of("epochs", "1", "minibatches", "1", "learning_rate", "0.003");
        RunSpec spec = Runs.small(NAME, PolicyKind.of(policy), 4, settings);
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, spec)) {
            for (int iteration = 0; iteration < 4; iteration++) {
                assertThat(run.iterate(iteration).loss().maxRatioDeviation())
                        .as("iteration %d", iteration)
                        .isLessThan(1e-4f);
            }
        }
    }

    /** The pixel is found: at best 9, where chance gives 4.5. TRPO differentiates the network twice. */
    @ParameterizedTest
    @CsvSource({"PPO, mlp, 10", "TRPO, mlp, 12"})
    void whatAPictureSaysIsLearned(Algorithm algorithm, String policy, int iterations) {
        Map<String, String> settings = new HashMap<>(Map.of("rollout_steps", "27"));
        if (algorithm == Algorithm.TRPO) {
            settings.putAll(Map.of("cg_iterations", "3", "value_epochs", "3"));
        }
        RunSpec spec = Runs.small(NAME, algorithm, PolicyKind.of(policy), iterations, settings);
        try (Backend backend = Runs.cpu(2);
                OpenRun run = OpenRun.start(backend, spec)) {
            for (int iteration = 0; iteration < iterations; iteration++) {
                run.iterate(iteration);
            }
            assertThat(run.episodes.statistics().meanReturn()).isGreaterThan(7);
        }
    }

    /** A picture of as many pixels as it is encoded by is encoded all the same. */
    @Test
    void aPictureAloneIsEncoded() {
        try (Backend backend = Runs.cpu(1);
                Parameters parameters = new Parameters(backend, 1)) {
            Schema schema = Schema.of(new Space.Image(1, 8, 16));
            StepFeatures features = new StepFeatures(parameters, "features", NetworkConfig.BASE, schema, 128);
            parameters.allocate();
            assertThat(features.size()).isEqualTo(128);
            try (Tape tape = Tape.inference(backend)) {
                double[] white = features.apply(tape.full(1, 1, 128)).features().toDoubles();
                assertThat(white).hasSize(128).contains(0);
                assertThat(Arrays.stream(white).distinct().count()).isGreaterThan(10);
            }
        }
    }

    /** Numbers by their own moments; entities by those of their features; the count, what is missing and pixels are left. */
    @Test
    void eachPartIsNormalizedInItsWay() {
        Space space = new WhitePixel().observationSpace();
        float[] rows = new float[2 * space.size()];
        float[][] things = {{10, 100, 20, 300, 0, 0, 0, 0, 2}, {30, 200, 0, 0, 0, 0, 0, 0, 1}};
        for (int row = 0; row < 2; row++) {
            int from = row * space.size();
            rows[from + row] = 1;
            System.arraycopy(things[row], 0, rows, from + 3, 9);
            rows[from + 12 + row] = 255;
            rows[from + 32] = 6 + 2 * row;
        }
        float[] normal;
        try (Backend backend = Runs.cpu(1);
                ObservationNormalizer normalizer = new ObservationNormalizer(backend, true, Schema.of(space))) {
            normalizer.include(rows, 2);
            normalizer.refresh();
            EnvironmentSpec.Spaces spaces = new EnvironmentSpec.Spaces(space, new Space.Discrete(2), false);
            float[] first = Arrays.copyOf(rows, space.size());
            normal = StepEncoderTest.encode(
                    backend, spaces, PolicyKind.MLP, NetworkConfig.BASE, normalizer, first, new int[1], new int[] {1});
        }
        double deviation = Math.sqrt(200 / 3.0);
        double larger = Math.sqrt(20000 / 3.0);
        float[] expected = new float[space.size()];
        expected[0] = 1;
        expected[1] = -1;
        expected[3] = (float) (-10 / deviation);
        expected[4] = (float) (-100 / larger);
        expected[6] = (float) (100 / larger);
        expected[11] = 2;
        expected[12] = 1;
        expected[32] = -1;
        assertThat(normal).containsExactly(expected, offset(1e-5f));
    }
}
