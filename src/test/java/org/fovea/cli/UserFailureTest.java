// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.env.StepBatch;
import org.fovea.env.VectorEnvironment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Environments whose code fails, or that cannot be played at all. */
class UserFailureTest {
    /** In the third of the four batches that 64 environments are cut into. */
    private static final int FAILING = 40;

    private static final Countdown SHARED = new Countdown();

    @TempDir
    private Path directory;

    /** Fails in its fourth step of the second episode. */
    private abstract static class Failing extends Countdown {
        private int episodes;

        abstract void fail() throws Exception;

        @Override
        public float[] reset(long seed) {
            episodes++;
            return super.reset(seed);
        }

        @Override
        public Step step(Action action) {
            if (number == FAILING && episodes == 2 && time == 3) {
                Failing.<RuntimeException>failSneakily(this);
            }
            return super.step(action);
        }

        @SuppressWarnings("unchecked")
        private static <E extends Exception> void failSneakily(Failing failing) throws E {
            try {
                failing.fail();
            } catch (Exception e) {
                throw (E) e;
            }
        }
    }

    private static final class Throwing extends Failing {
        private final Throwable thrown;

        Throwing(Throwable thrown) {
            this.thrown = thrown;
        }

        @Override
        void fail() throws Exception {
            if (thrown instanceof Error error) {
                throw error;
            }
            throw (Exception) thrown;
        }
    }

    private static final class Overflowing extends Failing {
        @Override
        @SuppressWarnings("InfiniteRecursion")
        void fail() {
            fail();
        }
    }

    /** An exception whose own code fails. */
    @SuppressWarnings("OverrideThrowableToString")
    private static final class Unprintable extends RuntimeException {
        private static final long serialVersionUID = 1;

        @Override
        public String toString() {
            throw new IllegalStateException("no words");
        }
    }

    @BeforeAll
    static void register() {
        step("IllegalState", () -> new Throwing(new IllegalStateException("no\nbananas")));
        step("Assertion", () -> new Throwing(new AssertionError("4 is not 5")));
        step("OutOfMemory", () -> new Throwing(new OutOfMemoryError("made up")));
        step("Checked", () -> new Throwing(new IOException("the robot is offline")));
        step("Unprintable", () -> new Throwing(new Unprintable()));
        step("Overflow", Overflowing::new);
        step("StepOfNull", () -> new Countdown() {
            @Override
            public Step step(Action action) {
                return null;
            }
        });
        step("LongObservation", () -> new Countdown() {
            @Override
            float[] observation() {
                return new float[time == 3 ? 2 : 1];
            }
        });
        step("NoObservation", () -> new Countdown() {
            @Override
            float[] observation() {
                return time == 3 ? null : new float[1];
            }
        });
        step("NaNReward", () -> new Countdown() {
            @Override
            public Step step(Action action) {
                return Step.of(observation(), Double.NaN);
            }
        });
        step("Reset", () -> new Countdown() {
            @Override
            public float[] reset(long seed) {
                throw new IllegalStateException("no reset");
            }
        });
        step("Supplier", () -> {
            if (Countdown.MADE.get() == 3) {
                throw new IllegalStateException("no supplies");
            }
            return new Countdown();
        });
        step("SupplierOfNull", () -> Countdown.MADE.get() == 3 ? null : new Countdown());
        step("Shared", () -> SHARED);
        step("NoSpace", () -> new Countdown() {
            @Override
            public Space observationSpace() {
                return null;
            }
        });
        step("NoChoices", () -> new Countdown() {
            @Override
            public Space actionSpace() {
                return new Space.Discrete(0);
            }
        });
        step("EmptyBox", () -> new Countdown() {
            @Override
            public Space observationSpace() {
                return new Space.Box(0, 0, 1);
            }
        });
        step("OtherSpace", () -> new Countdown() {
            @Override
            public Space observationSpace() {
                return new Space.Box(number == 2 ? 2 : 1, 0, 1);
            }
        });
        step("NaNObservation", () -> new Countdown() {
            @Override
            float[] observation() {
                return new float[] {time == 3 ? Float.NaN : 0};
            }
        });
        step("LaterSpace", () -> new Countdown() {
            private int episodes;

            @Override
            public Space actionSpace() {
                return new Space.Discrete(number == 2 && episodes == 3 ? 5 : 2);
            }

            @Override
            public float[] reset(long seed) {
                episodes++;
                return super.reset(seed);
            }
        });
        step("LongMask", () -> new Countdown() {
            @Override
            public boolean masksActions() {
                return true;
            }

            @Override
            public boolean[] actionMask() {
                return new boolean[] {true, true, true};
            }
        });
        step("Making", () -> new Countdown() {
            @Override
            public Step step(Action action) {
                return makeABox();
            }

            private static Step makeABox() {
                return Step.of(new float[new Space.Box(0, 0, 1).size()], 0);
            }
        });
        step("Close", () -> new Countdown() {
            @Override
            public void close() {
                super.close();
                throw new IllegalStateException("the window is stuck");
            }
        });
    }

    private static void step(String name, Supplier<Environment> supplier) {
        Environments.register("Fails" + name + "-v0", "for this test", supplier);
    }

    @BeforeEach
    void forget() {
        Countdown.forget();
    }

    private Cli train(String environment, String... more) {
        return Cli.run(TrainTest.small(directory.resolve("run"), withEnvironment(environment, more)));
    }

    private static String[] withEnvironment(String environment, String... more) {
        String[] all = new String[more.length + 4];
        all[0] = "--env";
        all[1] = "Fails" + environment + "-v0";
        all[2] = "--envs";
        all[3] = "64";
        System.arraycopy(more, 0, all, 4, more.length);
        return all;
    }

    private static void assertOneLineOfFovea(Cli cli, String message) {
        assertThat(cli.err()).contains(message).doesNotContain("bug in Fovea").doesNotContain("org.fovea.rl");
        assertThat(cli.err().lines().filter(line -> line.startsWith("fovea"))).hasSize(1);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "IllegalState | java.lang.IllegalStateException: no bananas | fail(",
                "Assertion | java.lang.AssertionError: 4 is not 5 | ",
                "OutOfMemory | java.lang.OutOfMemoryError: made up | ",
                "Checked | java.io.IOException: the robot is offline | ",
                "Unprintable | Unprintable | ",
                "Overflow | java.lang.StackOverflowError | Overflowing.fail("
            })
    void whatAStepThrowsIsReportedInOneLineWithItsOwnFrames(String environment, String thrown, String frame) {
        Cli cli = train(environment, "--steps", "100000");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertOneLineOfFovea(
                cli, "Fails" + environment + "-v0: environment " + FAILING + ", episode 1, step 3: step threw ");
        assertThat(cli.err()).contains(thrown).contains("checkpoint");
        if (frame != null) {
            assertThat(cli.err()).contains(environment.equals("Overflow") ? frame : "UserFailureTest");
        }
        assertThat(cli.err().length()).isLessThan(4000);
        assertThat(Countdown.MADE.get()).isEqualTo(64);
        assertThat(Countdown.CLOSED.get()).isEqualTo(64);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "NaNObservation | 1 | episode 0, step 3: observation[0] is NaN",
                "LaterSpace | 1 | environment 2, episode 2, step 0: actionSpace is now Discrete[n=5], but was Discrete[n=2]",
                "LongMask | 1 | episode 0, step 0: the action mask has 3 elements, but the action space has 2",
                "StepOfNull | 1 | episode 0, step 0: step returned null",
                "LongObservation | 1 | the observation has 2 numbers",
                "NoObservation | 1 | the observation has no numbers",
                "NaNReward | 1 | the reward is NaN",
                "Reset | 1 | environment 0, episode 0, step 0: reset threw java.lang.IllegalStateException: no reset",
                "Supplier | 1 | its supplier threw java.lang.IllegalStateException: no supplies",
                "SupplierOfNull | 2 | its supplier returned null",
                "Shared | 2 | its supplier returned the same instance twice",
                "NoSpace | 2 | observationSpace returned null",
                "NoChoices | 2 | at least 1",
                "EmptyBox | 2 | at least 1",
                "OtherSpace | 2 | all must have the same"
            })
    void whatCannotBePlayedIsNamed(String environment, int exitCode, String message) {
        Cli cli = train(environment);

        assertThat(cli.exitCode()).isEqualTo(exitCode);
        assertOneLineOfFovea(cli, message);
        if (!environment.equals("Shared")) {
            assertThat(Countdown.CLOSED.get()).isEqualTo(Countdown.MADE.get());
        }
    }

    /** What a call of Fovea's refuses has the frames of the one who called. */
    @Test
    void aRefusedCallIsShownWhereItWasMade() {
        Cli cli = train("Making");

        assertThat(cli.exitCode()).isEqualTo(1);
        // Environments on different threads fail at once: any may be the one that is told of.
        assertOneLineOfFovea(cli, ", episode 0, step 0: step threw ");
        assertThat(cli.err()).contains(".makeABox(UserFailureTest").doesNotContain("at org.fovea.env");
    }

    /** Batches of a user's own, which differ or give numbers that aren't. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "Spaces | 2 | one batch has observations Box",
                "Observation | 1 | environment 3, episode 4, step 9 of the run: the observation, element [0], is NaN",
                "Reward | 1 | environment 3, episode 4, step 9 of the run: the reward is Infinity"
            })
    void whatABatchGivesIsChecked(String broken, int exitCode, String message) {
        AtomicInteger batches = new AtomicInteger();
        Environments.register(EnvironmentSpec.ofBatches(
                "FailsBatch" + broken + "-v0", "", count -> new BrokenBatch(count, broken, batches.getAndIncrement())));

        Cli cli = train("Batch" + broken);

        assertThat(cli.exitCode()).isEqualTo(exitCode);
        assertOneLineOfFovea(cli, message);
    }

    /** Episodes of two steps; something is wrong in the tenth. */
    private record BrokenBatch(int count, String broken, int number, int[] steps) implements VectorEnvironment {
        BrokenBatch(int count, String broken, int number) {
            this(count, broken, number, new int[2]);
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(broken.equals("Spaces") && number == 2 ? 2 : 1, 0, 1);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(2);
        }

        @Override
        public void reset(long seed, int firstIndex, float[] observations) {
            steps[0] = 0;
            steps[1] = firstIndex;
            Arrays.fill(observations, 0);
        }

        @Override
        public void step(int[] choices, float[] values, StepBatch result) {
            steps[0]++;
            Arrays.fill(result.terminated(), steps[0] % 2 == 0);
            Arrays.fill(result.truncated(), false);
            Arrays.fill(result.rewards(), 0);
            Arrays.fill(result.observations(), 0);
            Arrays.fill(result.finalObservations(), 0);
            boolean fails = steps[0] == 10 && steps[1] == 0;
            if (fails && broken.equals("Observation")) {
                result.observations()[3] = Float.NaN;
            } else if (fails) {
                result.rewards()[3] = Float.POSITIVE_INFINITY;
            }
        }

        @Override
        public void restart(int i, float[] observations) {
            observations[i] = 0;
        }

        @Override
        public boolean canSaveState() {
            return false;
        }

        @Override
        public void saveState(int i, DataOutput out) {}

        @Override
        public void restoreState(int i, DataInput in) {}
    }

    @Test
    void aCloseThatFailsTakesNothingFromTheResult() throws IOException {
        Cli cli = train("Close", "--json");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.lastLineAsJson().get("return_episodes").asInt()).isEqualTo(100);
        assertThat(cli.err()).contains("could not be closed").contains("the window is stuck");
        assertThat(cli.err().length()).isLessThan(2000);
        assertThat(Countdown.CLOSED.get()).isEqualTo(64);

        Cli evaluated = Cli.run("eval", directory.resolve("run").toString(), "--backend", "cpu", "--json");
        assertThat(evaluated.exitCode()).isZero();
        assertThat(evaluated.lastLineAsJson().get("episodes").asInt()).isEqualTo(100);
        assertThat(evaluated.err()).contains("could not be closed").contains("the window is stuck");
    }

    /** Each of the other batches would take 40 seconds for the rollout. */
    @Test
    @Timeout(20)
    void othersStopWhenOneFails() {
        Environments.register("FailsAmongSlow-v0", "for this test", () -> new Countdown() {
            @Override
            public Step step(Action action) {
                if (number == FAILING) {
                    throw new IllegalStateException("at once");
                }
                try {
                    Thread.sleep(20);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                return super.step(action);
            }
        });

        Cli cli = train("AmongSlow", "--set", "rollout_steps=128", "--steps", "8192");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertOneLineOfFovea(cli, "step threw java.lang.IllegalStateException: at once");
        assertThat(Countdown.CLOSED.get()).isEqualTo(64);
    }

    @Test
    void oneThatCannotBePlayedDoesNotHideTheOthers() {
        Cli cli = Cli.run("envs");

        assertThat(cli.exitCode()).isZero();
        assertThat(cli.out())
                .containsPattern("FailsNoSpace-v0 .*cannot be played: FailsNoSpace-v0: observationSpace returned null")
                .contains("CartPole-v1");
    }

    @Test
    void aFailureIsNotHiddenByAnotherInClose() {
        Environments.register("FailsTwice-v0", "for this test", () -> new Countdown() {
            @Override
            public Step step(Action action) {
                throw new IllegalStateException("first");
            }

            @Override
            public void close() {
                super.close();
                throw new IllegalStateException("second");
            }
        });

        Cli cli = train("Twice");

        assertThat(cli.exitCode()).isEqualTo(1);
        assertThat(cli.err()).contains("step threw java.lang.IllegalStateException: first");
        assertThat(Countdown.CLOSED.get()).isEqualTo(64);
    }
}
