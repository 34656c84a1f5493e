// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Environments that nobody registers are found by the names of their classes. */
@Tag("integration")
class ClassPathEnvironmentTest {
    @TempDir
    private Path directory;

    /** Pays for the second choice. */
    static final class Unregistered implements Environment {
        private int steps;

        Unregistered() {}

        @Override
        public Space observationSpace() {
            return new Space.Box(1, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            steps = 0;
            return new float[1];
        }

        @Override
        public Step step(Action action) {
            return ++steps == 3
                    ? Step.terminated(new float[1], action.choice())
                    : Step.of(new float[1], action.choice());
        }
    }

    /** Cannot be made without more. */
    static final class Parametrised implements Environment {
        private final int number;

        Parametrised(int number) {
            this.number = number;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(number, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public float[] reset(long seed) {
            return new float[number];
        }

        @Override
        public Step step(Action action) {
            return Step.of(new float[number], 0);
        }
    }

    @Test
    void trainAndEvalTakeThem() throws Exception {
        Path run = directory.resolve("run");
        String name = Unregistered.class.getName();

        Cli trained = Cli.run(TrainTest.small(run, "--env", name, "--json"));
        Cli evaluated = Cli.run(Cli.words("eval %s --episodes 3 --json --backend cpu", run));
        Cli wrapped = Cli.run(Cli.words("eval %s --env %s+time_limit=2 --episodes 3 --json --backend cpu", run, name));
        Cli other = Cli.run(Cli.words("eval %s --env CartPole-v1 --episodes 3 --backend cpu", run));

        assertThat(trained.exitCode()).as(trained.err()).isZero();
        assertThat(trained.lastLineAsJson().get("env").asText()).isEqualTo(name);
        assertThat(evaluated.exitCode()).as(evaluated.err()).isZero();
        assertThat(evaluated.lastLineAsJson().get("length_mean").asDouble()).isEqualTo(3);
        assertThat(wrapped.exitCode()).as(wrapped.err()).isZero();
        assertThat(wrapped.lastLineAsJson().get("length_mean").asDouble()).isEqualTo(2);
        assertThat(other.exitCode()).isEqualTo(1);
        assertThat(other.err())
                .contains("the observation space of CartPole-v1 was", "is Box")
                .hasLineCount(1);
    }

    @Test
    void aClassThatIsNoneIsSaid() {
        Cli none = Cli.run(TrainTest.small(directory.resolve("a"), "--env", "java.lang.String"));
        Cli unmade = Cli.run(TrainTest.small(directory.resolve("b"), "--env", Parametrised.class.getName()));
        Cli parameters =
                Cli.run(TrainTest.small(directory.resolve("c"), "--env", Unregistered.class.getName() + ":length=3"));
        Cli absent = Cli.run(TrainTest.small(directory.resolve("d"), "--env", "my.Absent"));

        assertThat(none.err())
                .contains("the class java.lang.String is no environment")
                .hasLineCount(1);
        assertThat(unmade.err())
                .contains("it has no constructor without parameters")
                .hasLineCount(1);
        assertThat(parameters.err()).contains("has no parameters").hasLineCount(1);
        assertThat(absent.err()).contains("unknown environment 'my.Absent'").hasLineCount(1);
        assertThat(new int[] {none.exitCode(), unmade.exitCode(), parameters.exitCode(), absent.exitCode()})
                .containsOnly(2);
    }
}
