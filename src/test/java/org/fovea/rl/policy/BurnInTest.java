// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.memory.DType;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.backend.rl.StepClock;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A burn-in against the naive way: the policy as it is now plays the last steps of the segment before, one by one, and then the
 * segment; what it remembers in between is a constant.
 */
class BurnInTest {
    private static final int ENVIRONMENTS = 3;
    private static final int STEPS = 13;
    private static final int EPISODE = 51;

    @ParameterizedTest(name = "{0} window={1} burn-in={2} critic={3}")
    @CsvSource({
        "gru, 1, 4, auto",
        "gru, 1, 12, separate",
        "attention, 6, 4, auto",
        "attention, 6, 12, detached",
        "attention, 17, 4, separate",
        "attention, 31, 9, auto",
        "attention, 2, 1, auto",
    })
    void isPlayOfTheLastStepsUnderCurrentParameters(String policy, int window, int burnIn, String critic) {
        Map<String, String> settings = Map.of(
                "width",
                "8",
                "window",
                "" + window,
                "rollout_steps",
                "" + STEPS,
                "burn_in",
                "" + burnIn,
                "critic",
                critic,
                "epochs",
                "3",
                "learning_rate",
                "0.01");
        try (Backend backend = new ReferenceBackend();
                OpenRun run = OpenRun.start(
                        backend,
                        Runs.small("popgym-RepeatPreviousEasy-v0", PolicyKind.of(policy), 9, settings)
                                .withEnvironments(ENVIRONMENTS))) {
            double[] before = new double[0];
            for (int iteration = 0; iteration < 6; iteration++) {
                run.collect();
                // Nothing comes before the first segment, and in the burn-in of the fifth an episode begins.
                int through = iteration == 0 ? 0 : burnIn;
                assertSame(run, before, iteration * STEPS, through);
                run.learner.update(0, 7, iteration, iteration);
                assertSame(run, before, iteration * STEPS, through);
                before = observations(run);
                run.advance();
            }
        }
    }

    private static void assertSame(OpenRun run, double[] before, int begin, int burnIn) {
        try (ActorCritic.Context naive = naive(run, before, begin, burnIn)) {
            double[] expected = pass(run, naive);
            double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
            assertThat(pass(run, run.context))
                    .as("segment from step %d on", begin)
                    .containsExactly(expected, within(1e-9 * largest));
        }
    }

    /** The policy with the memory that it has after it played the burn-in. */
    private static ActorCritic.Context naive(OpenRun run, double[] before, int begin, int burnIn) {
        Backend backend = run.agent.backend();
        ActorCritic.Context context = run.agent.network().context(ENVIRONMENTS, STEPS, 0);
        if (burnIn == 0) {
            copyMemory(run.context, context, backend);
        } else {
            try (ActorCritic.Context through = run.agent.network().context(ENVIRONMENTS, burnIn, 0)) {
                copyMemory(run.context, through, backend);
                play(run, through, before, begin - burnIn, STEPS - burnIn, burnIn);
                through.advance();
                copyMemory(through, context, backend);
            }
        }
        play(run, context, observations(run), begin, 0, STEPS);
        return context;
    }

    /** Plays steps {@code [from, from + count)} of a segment, of which the first is step {@code begin} of the run. */
    private static void play(
            OpenRun run, ActorCritic.Context context, double[] observations, int begin, int from, int count) {
        int size = run.rollout.observationSize();
        ActorCritic.Actor actor = context.actor(0, ENVIRONMENTS);
        int[] episodeSteps = new int[ENVIRONMENTS];
        Arrays.fill(episodeSteps, begin % EPISODE);
        actor.mark(episodeSteps);
        actor.beginSegment();
        int ended = 0;
        for (int step = 0; step < count; step++) {
            double[] now = new double[ENVIRONMENTS * size];
            for (int i = 0; i < ENVIRONMENTS; i++) {
                System.arraycopy(observations, (i * STEPS + from + step) * size, now, i * size, size);
            }
            int age = (begin + step) % EPISODE + 1;
            ended += step > 0 && age == 1 ? 1 : 0;
            try (Tape tape = Tape.inference(run.agent.backend())) {
                DeviceArray ages = all(tape, age);
                StepClock clock = new StepClock(all(tape, context.origin() + step), ages, all(tape, ended), ages, ages);
                actor.act(tape.constant(now, ENVIRONMENTS, size), clock, 0, ENVIRONMENTS);
            }
        }
        actor.endSegment();
    }

    /** The same number for every environment. */
    private static DeviceArray all(Tape tape, int number) {
        DeviceArray array = tape.allocate(DType.I32, ENVIRONMENTS);
        tape.backend().memory().fill(array, number);
        return array;
    }

    private static void copyMemory(ActorCritic.Context from, ActorCritic.Context to, Backend backend) {
        Map<String, DeviceArray> source = from.persistent();
        to.persistent().forEach((name, array) -> backend.memory().copy(source.get(name), array));
    }

    private static double[] observations(OpenRun run) {
        double[] observations = new double[(int) run.rollout.observations().length()];
        run.agent.backend().memory().download(run.rollout.observations(), observations, 0);
        return observations;
    }

    /** What the training pass over the segment gives, and the gradient of all of it. */
    private static double[] pass(OpenRun run, ActorCritic.Context context) {
        Backend backend = run.agent.backend();
        DeviceArray gradient = run.agent.parameters().newFlatArray();
        try (Tape tape = Tape.recording(backend)) {
            Tensor units = tape.constantInts(new int[] {2, 0, 1}, ENVIRONMENTS);
            DeviceArray rows = tape.allocate(
                    backend.memory().floatType(), run.rollout.observations().length());
            int size = run.rollout.observationSize();
            backend.math().gatherRows(run.rollout.observations(), STEPS * size, units.array(), rows);
            ActorCritic.Outputs outputs =
                    context.forward(tape.constant(rows, ENVIRONMENTS * STEPS, size), units.array());
            List<Tensor> both = List.of(outputs.policy(), outputs.values());
            List<Tensor> weights = new ArrayList<>();
            double[] result = new double[0];
            for (Tensor output : both) {
                double[] values = output.toDoubles();
                result = concat(result, values);
                double[] weight = new double[values.length];
                Arrays.setAll(weight, i -> Math.sin(i));
                weights.add(tape.constant(weight, output.shape()));
            }
            tape.gradientsInto(both, weights, run.agent.parameters(), gradient);
            double[] flat = new double[(int) gradient.length()];
            backend.memory().download(gradient, flat, 0);
            return concat(result, flat);
        } finally {
            gradient.release();
        }
    }

    private static double[] concat(double[] first, double[] second) {
        double[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
