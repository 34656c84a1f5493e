// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Simulators that call back, played as environments. */
@Timeout(60)
class CallbackEnvironmentTest {

    /** A simulator of {@code run}, with one number to see and three choices. */
    private static class Simulator extends CallbackEnvironment {
        interface Episode {
            void run(Decider decider, long seed) throws Exception;
        }

        final Episode episode;
        int released;

        Simulator(Episode episode) {
            this.episode = episode;
        }

        @Override
        public Space observationSpace() {
            return new Space.Box(1, Float.NEGATIVE_INFINITY, Float.POSITIVE_INFINITY);
        }

        @Override
        public Space actionSpace() {
            return new Space.Discrete(3);
        }

        @Override
        protected void run(Decider decider, long seed) throws Exception {
            episode.run(decider, seed);
        }

        @Override
        protected void release() {
            released++;
        }
    }

    private static float[] one(double value) {
        return new float[] {(float) value};
    }

    /** A random walk whose length, rewards and end depend on seed and actions. */
    private static void walk(Decider decider, long seed) {
        Random random = new Random(seed);
        double at = 0;
        while (Math.abs(at) < 3) {
            int choice = decider.decide(one(at)).choice();
            at += random.nextGaussian() + choice - 1;
            decider.reward(0.1 * at);
            decider.reward(1);
            if (random.nextInt(10) == 0) {
                decider.truncate(one(at));
            }
        }
    }

    private static void walkUnevenly(Decider decider, long seed) {
        Random pauses = new Random();
        Random random = new Random(seed);
        double at = 0;
        while (Math.abs(at) < 3) {
            int choice = decider.decide(one(at)).choice();
            LockSupport.parkNanos(pauses.nextInt(200_000));
            at += random.nextGaussian() + choice - 1;
            decider.reward(0.1 * at);
            decider.reward(1);
            if (random.nextInt(10) == 0) {
                decider.truncate(one(at));
            }
        }
    }

    private static long simulatorThreads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("fovea-simulator-"))
                .filter(Thread::isAlive)
                .count();
    }

    @AfterEach
    void noThreadRemains() {
        assertThat(simulatorThreads()).isZero();
    }

    @Test
    void decisionsAndRewardsAreThoseOfTheSimulation() {
        Simulator simulator = new Simulator((decider, seed) -> {
            decider.reward(100);
            for (int i = 0; i < 3; i++) {
                int choice = decider.decide(one(seed + i)).choice();
                decider.reward(choice);
                decider.reward(0.5);
            }
        });
        try (simulator) {
            assertThat(simulator.reset(40)).containsExactly(40);
            assertThat(simulator.step(Action.of(2))).satisfies(step -> {
                assertThat(step.observation()).containsExactly(41);
                assertThat(step.reward()).isEqualTo(102.5f);
                assertThat(step.terminated() || step.truncated()).isFalse();
            });
            assertThat(simulator.step(Action.of(0)).reward()).isEqualTo(0.5f);
            assertThat(simulator.step(Action.of(1))).satisfies(step -> {
                assertThat(step.reward()).isEqualTo(1.5f);
                assertThat(step.terminated()).isTrue();
                assertThat(step.truncated()).isFalse();
            });
            assertThatThrownBy(() -> simulator.step(Action.of(1))).hasMessageContaining("call reset first");
            assertThat(simulator.reset(7)).containsExactly(7);
        }
        assertThat(simulator.released).isEqualTo(1);
    }

    @Test
    void truncationHasTheStateThatItCutsIn() {
        Simulator simulator = new Simulator((decider, seed) -> {
            decider.decide(one(1));
            decider.reward(3);
            decider.truncate(one(2));
        });
        try (simulator) {
            simulator.reset(0);
            Step step = simulator.step(Action.of(0));
            assertThat(step.observation()).containsExactly(2);
            assertThat(step.reward()).isEqualTo(3);
            assertThat(step.truncated()).isTrue();
            assertThat(step.terminated()).isFalse();
        }
    }

    private static double[] played(Simulator.Episode episode, int count) {
        List<Double> seen = new ArrayList<>();
        try (VectorEnvironment batch =
                EnvironmentSpec.of("x", "", () -> new Simulator(episode)).create(count)) {
            StepBatch result = StepBatch.allocate(count, 1);
            batch.reset(3, 0, result.observations());
            Random random = new Random(2);
            for (int t = 0; t < 60; t++) {
                batch.step(random.ints(count, 0, 3).toArray(), new float[0], result);
                for (int i = 0; i < count; i++) {
                    seen.add((double) result.observations()[i]);
                    seen.add((double) result.rewards()[i]);
                    seen.add(
                            result.terminated()[i] ? 1.0 : result.truncated()[i] ? result.finalObservations()[i] : 0.0);
                }
                if (t % 20 == 10) {
                    batch.restart(t % count, result.observations());
                }
            }
            assertThat(simulatorThreads()).isEqualTo(count);
        }
        return seen.stream().mapToDouble(Double::doubleValue).toArray();
    }

    /** Many at a time, in whatever time each takes. */
    @Test
    void timingChangesNothing() {
        double[] first = played(CallbackEnvironmentTest::walk, 100);
        assertThat(Arrays.stream(first).distinct().count()).isGreaterThan(1000);
        assertThat(played(CallbackEnvironmentTest::walkUnevenly, 100)).containsExactly(first);
    }

    /** At no time do both run: an unguarded counter that both write comes out right. */
    @Test
    void oneOfTheTwoRunsAtATime() {
        int[] counter = new int[1];
        AtomicInteger both = new AtomicInteger();
        Simulator simulator = new Simulator((decider, seed) -> {
            while (counter[0] < 200_000) {
                both.incrementAndGet();
                counter[0]++;
                both.decrementAndGet();
                decider.decide(one(0));
            }
        });
        try (simulator) {
            simulator.reset(0);
            boolean ended = false;
            while (!ended) {
                assertThat(both.incrementAndGet()).isEqualTo(1);
                counter[0]++;
                both.decrementAndGet();
                ended = simulator.step(Action.of(0)).terminated();
            }
        }
        assertThat(counter[0]).isEqualTo(200_000);
    }

    @Test
    void anEpisodeThatIsGivenUpUnwinds() {
        List<String> events = new ArrayList<>();
        Simulator simulator = new Simulator((decider, seed) -> {
            try {
                while (true) {
                    try {
                        decider.decide(one(seed));
                    } catch (Exception e) {
                        events.add("an exception");
                    }
                }
            } finally {
                events.add("ended " + seed);
            }
        });
        try (simulator) {
            simulator.reset(1);
            simulator.step(Action.of(0));
            assertThat(simulator.reset(2)).containsExactly(2);
            assertThat(events).containsExactly("ended 1");
            simulator.step(Action.of(0));
        }
        assertThat(events).containsExactly("ended 1", "ended 2");
    }

    /** A simulator's own wrapping of what its listeners throw doesn't hide why it ended. */
    @Test
    void theEndMayComeWrapped() {
        Simulator simulator = new Simulator((decider, seed) -> {
            try {
                decider.decide(one(0));
            } catch (Throwable thrown) {
                throw new IllegalStateException("a listener failed", thrown);
            }
        });
        try (simulator) {
            simulator.reset(1);
            simulator.reset(2);
        }
    }

    /** Nothing ends a thread that doesn't want to, but it must be said, and no processor be kept busy by it. */
    @Test
    void onethatCatchesTheEndForEverIsNamed() throws InterruptedException {
        boolean[] mayEnd = new boolean[1];
        Simulator simulator = new Simulator((decider, seed) -> {
            while (!mayEnd[0]) {
                try {
                    decider.decide(one(0));
                } catch (Throwable thrown) {
                    // goes on
                }
            }
        });
        simulator.reset(1);
        assertThatThrownBy(() -> simulator.reset(2))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("run goes on after its episode has ended")
                .hasMessageContaining("EpisodeEndError");
        Thread stuck = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("fovea-simulator-"))
                .findAny()
                .orElseThrow();
        while (stuck.getState() != Thread.State.WAITING) {
            Thread.sleep(1);
        }
        assertThat(stuck.isDaemon()).isTrue();
        // It can be played again, in another thread.
        assertThat(simulator.reset(3)).containsExactly(0);
        mayEnd[0] = true;
        assertThat(simulator.step(Action.of(0)).terminated()).isTrue();
        simulator.close();
        assertThat(simulatorThreads()).isEqualTo(1);
        stuck.setName("known to be stuck");
    }

    @Test
    void whatTheSimulatorThrowsIsThrownToThePlayer() {
        Throwable[] thrown = {
            new IllegalStateException("no cloud"), new java.io.IOException("no disk"), new OutOfMemoryError("made up")
        };
        for (Throwable each : thrown) {
            Simulator simulator = new Simulator((decider, seed) -> {
                decider.decide(one(0));
                if (each instanceof Error error) {
                    throw error;
                }
                throw (Exception) each;
            });
            try (simulator) {
                simulator.reset(0);
                assertThatThrownBy(() -> simulator.step(Action.of(0))).isSameAs(each);
                assertThat(simulator.reset(1)).containsExactly(0);
            }
        }
    }

    @SuppressWarnings("InfiniteRecursion")
    private static int deeper(int depth) {
        return deeper(depth + 1) + 1;
    }

    @Test
    void aStackOverflowIsThePlayersToHandle() {
        Simulator simulator = new Simulator((decider, seed) -> {
            decider.decide(one(0));
            deeper(0);
        });
        try (simulator) {
            simulator.reset(0);
            assertThatThrownBy(() -> simulator.step(Action.of(0)))
                    .isInstanceOf(StackOverflowError.class)
                    .satisfies(thrown -> assertThat(thrown.getStackTrace()[0].getMethodName())
                            .isEqualTo("deeper"));
        }
    }

    /** Wrong arguments fail the episode where they are given, whether or not the simulator catches that. */
    @Test
    void wrongArgumentsAreRefusedWhereTheyAreGiven() {
        List<Simulator.Episode> episodes = List.of(
                (decider, seed) -> decider.decide(new float[2]),
                (decider, seed) -> decider.decide(one(0), new boolean[] {true}),
                (decider, seed) -> decider.reward(Double.NaN),
                (decider, seed) -> decider.truncate(new float[0]));
        List<String> messages = List.of(
                "the observation has 2 elements, expected 1",
                "the action mask has 1 elements, expected 3",
                "the reward is NaN",
                "the observation has 0 elements, expected 1");
        for (int i = 0; i < episodes.size(); i++) {
            Simulator.Episode wrong = episodes.get(i);
            Simulator simulator = new Simulator((decider, seed) -> {
                decider.decide(one(0));
                while (true) {
                    try {
                        wrong.run(decider, seed);
                    } catch (Exception e) {
                        // goes on
                    }
                    decider.decide(one(0));
                }
            });
            try (simulator) {
                simulator.reset(0);
                assertThatThrownBy(() -> simulator.step(Action.of(0)))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessage(messages.get(i))
                        .satisfies(thrown -> assertThat(thrown.getStackTrace())
                                .anyMatch(frame -> frame.getClassName().contains("CallbackEnvironmentTest")));
            }
        }
    }

    @Test
    void anEpisodeWithoutADecisionIsNone() {
        try (Simulator simulator = new Simulator((decider, seed) -> decider.reward(1))) {
            assertThatThrownBy(() -> simulator.reset(0)).hasMessageContaining("before it asked for a decision");
        }
    }

    @Test
    void anotherThreadMayNotAsk() {
        var pool = Executors.newSingleThreadExecutor();
        try (Simulator simulator = new Simulator(
                (decider, seed) -> pool.submit(() -> decider.decide(one(0))).get())) {
            assertThatThrownBy(() -> simulator.reset(0))
                    .hasRootCauseInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("only the one that run is called in may");
        } finally {
            pool.shutdown();
        }
    }

    /** A simulator may have itself interrupted; that is its own affair. */
    @Test
    void aSimulatorsInterruptIsItsOwn() {
        try (Simulator simulator = new Simulator((decider, seed) -> {
            Thread.currentThread().interrupt();
            for (int i = 0; i < 3; i++) {
                decider.decide(one(Thread.currentThread().isInterrupted() ? 1 : 0));
            }
        })) {
            assertThat(simulator.reset(0)).containsExactly(1);
            assertThat(simulator.step(Action.of(0)).observation()).containsExactly(1);
        }
    }

    @Test
    void masksReachThePlayer() {
        class Masking extends Simulator {
            Masking() {
                super((decider, seed) -> {
                    decider.decide(one(0), new boolean[] {true, false, true});
                    decider.decide(one(1));
                });
            }

            @Override
            public boolean masksActions() {
                return true;
            }
        }
        try (VectorEnvironment batch = EnvironmentSpec.of("x", "", Masking::new).create(1)) {
            StepBatch result = StepBatch.allocate(1, 1);
            boolean[] allowed = batch.newActionMasks();
            batch.reset(0, 0, result.observations());
            batch.actionMasks(allowed);
            assertThat(allowed).containsExactly(true, false, true);
            batch.step(new int[] {0}, new float[0], result);
            batch.actionMasks(allowed);
            assertThat(allowed).containsExactly(true, true, true);
        }
    }
}
