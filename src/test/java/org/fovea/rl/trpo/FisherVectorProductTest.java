// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.fovea.backend.Backend;
import org.fovea.backend.cuda.Simulator;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.backend.reference.ReferenceBackend;
import org.fovea.collective.Collective;
import org.fovea.rl.learner.MinibatchOrder;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.Rollout;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;
import org.fovea.tensor.Parameter;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Products with the Fisher matrix against what it is: the Hessian of the mean KL divergence. That is taken by central
 * differences of first gradients, in float64.
 */
@Tag("integration")
class FisherVectorProductTest {
    private static final double DAMPING = 0.25;

    /** Step of the differences, whose error is its square times a third derivative. */
    private static final double STEP = 1e-5;

    @BeforeAll
    static void register() {
        NearestEntity.register();
    }

    /** A policy in the middle of its training, with a rollout. */
    private static final class Policy implements AutoCloseable {
        final OpenRun run;
        final Shards shards;
        final MinibatchOrder order;
        final FisherVectorProduct fisher;

        Policy(Backend backend, String environment, String policy) {
            Map<String, String> settings = Map.of("rollout_steps", "7", "width", "8", "window", "4", "layers", "2");
            RunSpec spec = Runs.small(environment, Algorithm.TRPO, PolicyKind.of(policy), 3, settings)
                    .withEnvironments(5)
                    .withSeed(3);
            this.run = OpenRun.start(backend, spec);
            disturb();
            // The second segment has episodes that began in the first, and memory of them.
            run.collect();
            run.advance();
            run.collect();
            Agent agent = run.agent;
            int rowsPerUnit = agent.kind().stepsPerUnit(7);
            this.order = new MinibatchOrder(backend, 35 / rowsPerUnit);
            this.shards =
                    new Shards(backend, agent.kind(), agent.parameters(), run.rollout, rowsPerUnit, 35 / rowsPerUnit);
            this.fisher = new FisherVectorProduct(
                    agent, run.context, shards, order.all(), (float) DAMPING, Collective.single());
        }

        /** Fresh policies give all actions the same probability: moves every parameter a little. */
        private void disturb() {
            double[] values = values();
            double[] noise = along(5);
            for (int i = 0; i < values.length; i++) {
                values[i] += 0.3 * noise[i];
            }
            run.agent
                    .backend()
                    .memory()
                    .upload(values, 0, run.agent.parameters().values());
        }

        double[] values() {
            double[] values = new double[(int) run.agent.parameters().length()];
            run.agent.backend().memory().download(run.agent.parameters().values(), values, 0);
            return values;
        }

        /** A random direction; 0 in the padding between parameters. */
        double[] along(int seed) {
            Random random = new Random(seed);
            double[] direction = new double[(int) run.agent.parameters().length()];
            for (Parameter parameter : run.agent.parameters().all()) {
                for (int i = 0; i < parameter.length(); i++) {
                    direction[(int) parameter.offset() + i] = random.nextGaussian();
                }
            }
            return direction;
        }

        double[] fisher(double[] direction) {
            Backend backend = run.agent.backend();
            DeviceArray in = backend.memory().allocate(backend.memory().floatType(), direction.length);
            DeviceArray out = backend.memory().allocate(backend.memory().floatType(), direction.length);
            backend.memory().upload(direction, 0, in);
            fisher.apply(in, out);
            double[] product = new double[direction.length];
            backend.memory().download(out, product, 0);
            in.release();
            out.release();
            return product;
        }

        private Tensor distribution(Tape tape) {
            Rollout rollout = run.rollout;
            Tensor observations = tape.constant(rollout.observations(), 35, rollout.observationSize());
            Agent agent = run.agent;
            Tensor policy = run.context.policy(observations, order.all());
            int width = (int) (rollout.masks().length() / 35);
            Tensor masks = width == 0 ? null : tape.constant(rollout.masks(), 35, width);
            return agent.distribution().parameters(agent.distribution().restrict(policy, masks));
        }

        /** Gradient of the mean KL divergence from {@code old}, of shape {@code shape}, at the given parameters. */
        private double[] gradientOfDivergence(double[] old, int[] shape, double[] at) {
            Backend backend = run.agent.backend();
            Agent agent = run.agent;
            double[] here = values();
            backend.memory().upload(at, 0, agent.parameters().values());
            double[] gradient = new double[here.length];
            DeviceArray flat = agent.parameters().newFlatArray();
            try (Tape tape = Tape.recording(backend)) {
                Tensor mean = agent.distribution()
                        .divergence(tape.constant(old, shape), distribution(tape))
                        .mean();
                tape.gradientsInto(List.of(mean), List.of(tape.full(1, mean.shape())), agent.parameters(), flat);
                backend.memory().download(flat, gradient, 0);
            }
            flat.release();
            backend.memory().upload(here, 0, agent.parameters().values());
            return gradient;
        }

        double[] hessianOfDivergence(double[] direction) {
            double[] old;
            int[] shape;
            try (Tape tape = Tape.inference(run.agent.backend())) {
                Tensor now = distribution(tape);
                old = now.toDoubles();
                shape = now.shape();
            }
            double[] here = values();
            double[] ahead = gradientOfDivergence(old, shape, moved(here, direction, STEP));
            double[] behind = gradientOfDivergence(old, shape, moved(here, direction, -STEP));
            double[] product = new double[here.length];
            Arrays.setAll(product, i -> (ahead[i] - behind[i]) / (2 * STEP));
            return product;
        }

        private static double[] moved(double[] from, double[] direction, double step) {
            double[] to = new double[from.length];
            Arrays.setAll(to, i -> from[i] + step * direction[i]);
            return to;
        }

        @Override
        public void close() {
            fisher.close();
            shards.close();
            order.close();
            run.close();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, mlp",
        "Dispatch-v0, mlp",
        "Pendulum-v1, mlp",
        "popgym-RepeatPreviousEasy-v0, attention",
        "Pendulum-v1, attention",
        "popgym-RepeatPreviousEasy-v0, gru",
        "NearestEntityAndCount-v0, mlp"
    })
    void isTheHessianOfTheDivergence(String environment, String kind) {
        try (Backend backend = new ReferenceBackend();
                Policy policy = new Policy(backend, environment, kind)) {
            double[] direction = policy.along(1);
            double[] product = policy.fisher(direction);
            double[] expected = policy.hessianOfDivergence(direction);
            double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
            assertThat(largest).isGreaterThan(0.01);
            for (int i = 0; i < expected.length; i++) {
                assertThat(product[i] - DAMPING * direction[i])
                        .as("element %d", i)
                        .isCloseTo(expected[i], within(1e-5 * largest));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({"CartPole-v1, mlp", "Pendulum-v1, attention"})
    void isSymmetricAndPositive(String environment, String kind) {
        try (Backend backend = new ReferenceBackend();
                Policy policy = new Policy(backend, environment, kind)) {
            double[] u = policy.along(1);
            double[] v = policy.along(2);
            double uFv = dot(u, policy.fisher(v));
            assertThat(uFv).isCloseTo(dot(v, policy.fisher(u)), within(1e-10 * Math.abs(uFv)));
            assertThat(dot(v, policy.fisher(v))).isGreaterThan(DAMPING * dot(v, v));
        }
    }

    /** Nothing but damping acts where the policy does not depend on a parameter: the value function's. */
    @Test
    void leavesTheValueFunctionAlone() {
        try (Backend backend = new ReferenceBackend();
                Policy policy = new Policy(backend, "MemoryChain-v0", "attention")) {
            double[] direction = policy.along(1);
            double[] product = policy.fisher(direction);
            int of = 0;
            for (Parameter parameter : policy.run.agent.parameters().all()) {
                for (int i = 0; i < parameter.length() && parameter.name().startsWith("value"); i++) {
                    int index = (int) parameter.offset() + i;
                    assertThat(product[index]).isEqualTo(DAMPING * direction[index]);
                    of++;
                }
            }
            // Two hidden layers of width 8, and the value.
            assertThat(of).isEqualTo(2 * (8 * 8 + 8) + 8 + 1);
        }
    }

    /** float32 on every device is the same function but for rounding, which is relative to the largest sum. */
    @ParameterizedTest
    @CsvSource({
        "CartPole-v1, mlp, false",
        "MemoryChain-v0, attention, false",
        "Pendulum-v1, mlp, true",
        "MemoryChain-v0, attention, true",
        "NearestEntityAndCount-v0, mlp, false",
        "NearestEntityAndCount-v0, mlp, true"
    })
    void isTheSameOnEveryDevice(String environment, String kind, boolean gpu) {
        double[] expected;
        double[] actual;
        double[] values;
        double[] direction;
        try (Backend backend = gpu ? Simulator.open() : Runs.cpu(2);
                Policy policy = new Policy(backend, environment, kind)) {
            direction = policy.along(1);
            actual = policy.fisher(direction);
            values = policy.values();
            try (Backend reference = new ReferenceBackend();
                    Policy same = new Policy(reference, environment, kind)) {
                copyRollout(policy, same);
                reference.memory().upload(values, 0, same.run.agent.parameters().values());
                expected = same.fisher(direction);
            }
        }
        double largest = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
        assertThat(actual).containsExactly(expected, within(35 * 8 * 0x1p-24 * largest));
    }

    private static void copyRollout(Policy from, Policy to) {
        DeviceArray source = from.run.rollout.observations();
        double[] observations = new double[(int) source.length()];
        from.run.agent.backend().memory().download(source, observations, 0);
        to.run.agent.backend().memory().upload(observations, 0, to.run.rollout.observations());
        from.run.context.persistent().forEach((name, array) -> {
            double[] memory = new double[(int) array.length()];
            from.run.agent.backend().memory().download(array, memory, 0);
            to.run
                    .agent
                    .backend()
                    .memory()
                    .upload(memory, 0, to.run.context.persistent().get(name));
        });
    }

    private static double dot(double[] x, double[] y) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            sum += x[i] * y[i];
        }
        return sum;
    }
}
