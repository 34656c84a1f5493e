// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.rollout;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.env.Action;
import org.fovea.env.Environment;
import org.fovea.env.EnvironmentException;
import org.fovea.env.Environments;
import org.fovea.env.Space;
import org.fovea.env.Step;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.PlaySettings.Overlap;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.rl.run.Trainer;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Environments that step on threads of their own, and while the policy acts in others. */
class EnvironmentThreadsTest {
    private static final AtomicInteger STEPPING = new AtomicInteger();
    private static final AtomicInteger MOST_AT_A_TIME = new AtomicInteger();
    private static CyclicBarrier meeting = new CyclicBarrier(1);

    @TempDir
    Path directory;

    /** A walk of three to eight steps whose end is cut every other time; reward for a choice that fits the place. */
    private static class Walk implements Environment {
        private long episode;
        private int place;
        private int time;

        @Override
        public Space observationSpace() {
            return new Space.Box(2, -50, 50);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(3);
        }

        @Override
        public boolean masksActions() {
            return true;
        }

        @Override
        public boolean[] actionMask() {
            return new boolean[] {true, place % 3 != 0, true};
        }

        @Override
        public float[] reset(long seed) {
            episode = seed >>> 8;
            place = (int) (episode % 7);
            time = 0;
            return new float[] {place, time};
        }

        @Override
        public Step step(Action action) {
            meanwhile();
            time++;
            place += action.choice() - 1;
            float reward = Math.floorMod(place, 3) == 1 ? 1 : 0;
            float[] observation = {place, time};
            if (time < 3 + episode % 6) {
                return Step.of(observation, reward);
            }
            return episode % 2 == 0 ? Step.truncated(observation, reward) : Step.terminated(observation, reward);
        }

        void meanwhile() {}
    }

    /** Takes its time, and counts how many do so. */
    private static final class Slow extends Walk {
        private final long nanos;

        Slow(long nanos) {
            this.nanos = nanos;
        }

        @Override
        void meanwhile() {
            int now = STEPPING.incrementAndGet();
            MOST_AT_A_TIME.accumulateAndGet(now, Math::max);
            LockSupport.parkNanos(nanos);
            STEPPING.decrementAndGet();
        }
    }

    /** Steps only once another does. */
    private static final class Meeting extends Walk {
        @Override
        void meanwhile() {
            try {
                meeting.await(30, TimeUnit.SECONDS);
            } catch (Exception e) {
                throw new IllegalStateException("alone", e);
            }
        }
    }

    private static final class Failing extends Walk {
        private static final AtomicInteger MADE = new AtomicInteger();
        private final int index = MADE.getAndIncrement();
        private int steps;

        @Override
        void meanwhile() {
            LockSupport.parkNanos(50_000);
            if (++steps == 9 && index == 6) {
                throw new IllegalStateException("out of order");
            }
        }
    }

    @BeforeAll
    static void register() {
        Environments.register("QuickWalk-v0", "for this test", Walk::new);
        Environments.register("SlowWalk-v0", "for this test", () -> new Slow(20_000));
        Environments.register("SlowerWalk-v0", "for this test", () -> new Slow(1_000_000));
        Environments.register("Meeting-v0", "for this test", Meeting::new);
        Environments.register("Failing-v0", "for this test", Failing::new);
    }

    @BeforeEach
    void startCounting() {
        MOST_AT_A_TIME.set(0);
        Failing.MADE.set(0);
    }

    private static RunSpec spec(String environment, String policy, int environments) {
        PolicyKind kind = PolicyKind.of(policy);
        RunSpec run = Runs.small(environment, kind, 1, Map.of("epochs", "1", "layers", "2"))
                .with(Map.of("burn_in", kind.remembers() ? "4" : "0"))
                .withEnvironments(environments);
        return run.withSteps(3 * run.stepsPerIteration());
    }

    private float[] train(Backend device, RunSpec spec, int environmentThreads, Overlap overlap) {
        Path run = directory.resolve(environmentThreads + "-" + overlap);
        try (Backend backend = device;
                Trainer trainer = Trainer.start(
                        backend, spec, run, new PlaySettings(environmentThreads, overlap, EnvironmentPlace.AUTO))) {
            for (long iteration = 0; iteration < spec.iterations(); iteration++) {
                trainer.iterate();
            }
            return Runs.parameters(trainer);
        }
    }

    /** Nine are played at once, forty in two parts. */
    @ParameterizedTest
    @CsvSource({"mlp, 9", "mlp, 40", "attention, 9", "attention, 40", "gru, 9", "gru, 40"})
    void whoStepsThemMakesNoDifference(String policy, int environments) {
        RunSpec quick = spec("QuickWalk-v0", policy, environments);
        float[] expected = train(Runs.cpu(1), quick, 1, Overlap.OFF);
        assertThat(train(Runs.cpu(2), quick, 2, Overlap.ON)).isEqualTo(expected);
        assertThat(train(Runs.cpu(1), quick, 5, Overlap.ON)).isEqualTo(expected);
        // Another name of the same task.
        RunSpec slow = spec("SlowWalk-v0", policy, environments);
        assertThat(train(Runs.cpu(2), slow, 5, Overlap.OFF)).isEqualTo(expected);
        assertThat(train(Runs.cpu(1), slow, 2, Overlap.AUTO)).isEqualTo(expected);
        assertThat(train(Runs.cpu(2), slow, 1, Overlap.ON)).isEqualTo(expected);
    }

    @Nested
    @Tag("integration")
    class OnCuda {
        @ParameterizedTest
        @CsvSource({"mlp", "attention", "gru"})
        void neitherChangesWhatIsLearned(String policy) {
            RunSpec spec = spec("SlowWalk-v0", policy, 4)
                    .with(Map.of("rollout_steps", "5", "layers", "1", "width", "8", "minibatches", "1"));
            float[] expected = train(Simulator.open(), spec, 1, Overlap.OFF);
            assertThat(train(Simulator.open(), spec, 2, Overlap.ON)).isEqualTo(expected);
            assertThat(train(Simulator.open(), spec, 5, Overlap.OFF)).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @CsvSource({"12, ON", "12, OFF", "12, AUTO", "64, ON", "64, OFF"})
    void slowOnesStepAtTheSameTime(int environments, Overlap overlap) {
        train(Runs.cpu(1), spec("SlowerWalk-v0", "mlp", environments), 4, overlap);
        assertThat(MOST_AT_A_TIME).hasValue(4);
    }

    /** The first can only go on once the policy has acted in the second. */
    @Test
    void thePolicyActsWhileOthersStep() {
        meeting = new CyclicBarrier(2);
        RunSpec spec = spec("Meeting-v0", "mlp", 2).with(Map.of("normalize_observations", "false"));
        train(Runs.cpu(1), spec, 2, Overlap.ON);
        assertThat(meeting.isBroken()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"ON, 9", "OFF, 9", "ON, 40"})
    void oneThatFailsIsNamedAndNoThreadIsLeft(Overlap overlap, int environments) {
        RunSpec spec = spec("Failing-v0", "mlp", environments).with(Map.of("normalize_observations", "false"));
        assertThatThrownBy(() -> train(Runs.cpu(2), spec, 3, overlap))
                .isInstanceOf(EnvironmentException.class)
                .hasMessageContaining("Failing-v0: environment 6, episode ")
                .hasMessageContaining(": step threw java.lang.IllegalStateException: out of order");
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(thread -> thread.getName().startsWith("fovea-env-"));
    }
}
