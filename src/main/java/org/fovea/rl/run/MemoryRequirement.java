// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.Arrays;
import java.util.Locale;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.StepEncoder;
import org.fovea.rl.rollout.EnvironmentSet;
import org.fovea.rl.rollout.Rollout;

/**
 * The Java heap that a run needs, in bytes, without what a garbage collector needs to work in, so that a run that is too large
 * is refused before it starts. Runs of PPO have been measured to use as much within a fifth; TRPO's second derivatives take more.
 *
 * @param rollouts what is played between two updates
 * @param memory what an attention policy remembers
 * @param network its parameters with their gradients and the optimizer's moments, and the activations of the shards of a minibatch
 *     that are worked on at a time
 */
record MemoryRequirement(RunSpec spec, double rollouts, double memory, double network) {
    private static final double FLOAT = 4;

    /** The program itself, before it trains anything. */
    private static final double PROGRAM = 8 << 20;

    private static final double GIB = 1L << 30;

    /** Numbers per row of {@link Rollout} besides observations and actions. */
    private static final int ROLLOUT_COLUMNS = 7;

    /** What a step shows: observations and final ones, where environments write them and where the policy reads them. */
    private static final double SHOWN_BLOCKS = 5;

    /** Numbers of a step besides observations: rewards and ends, twice, actions, returns, the clock. */
    private static final double SHOWN_COLUMNS = 16;

    /** Numbers of the blocks that a scope of the CPU takes its arrays from. */
    private static final double SCOPE_BLOCK = 1 << 20;

    /** Share of the numbers of a pass and back that a pass alone takes. */
    private static final double FORWARD = 0.2;

    /** Most numbers that a Java array can have. */
    private static final double LONGEST_ARRAY = Integer.MAX_VALUE - 8;

    static MemoryRequirement of(Backend backend, RunSpec spec, EnvironmentSpec.Spaces spaces) {
        boolean onHeap = backend.name().equals("cpu");
        NetworkConfig network = spec.config().network();
        double rows = (double) spec.environments() * spec.config().rollout().rolloutSteps();
        int observation = spaces.observations().size();
        int token = StepEncoder.size(spaces, spec.policy(), network);
        int[] choices = Schema.of(spaces.actions()).choices();
        int action = choices.length > 0 ? choices.length : spaces.actions().size();
        if (spaces.masked()) {
            action += choices.length * Arrays.stream(choices).max().orElseThrow();
        }
        // What normalizers take in is kept on the device, and comes to the heap in parts.
        RolloutConfig config = spec.config().rollout();
        int taken = (config.normalizeObservations() ? observation : 0) + (config.normalizeRewards() ? 1 : 0);
        double rollouts = rows * taken / EnvironmentSet.parts(backend, spec.environments())
                + (onHeap ? rows * (token + action + ROLLOUT_COLUMNS + taken) : 0)
                + spec.environments() * (SHOWN_BLOCKS * observation + SHOWN_COLUMNS);
        double memory = 0;
        double numbers = 0;
        if (onHeap) {
            double layersTimesWidth = (double) network.layers() * network.width();
            RolloutConfig rollout = spec.config().rollout();
            int remembered = 0;
            if (spec.policy() == PolicyKind.GRU) {
                memory = (rollout.burnIn() > 0 ? 3.0 : 2.0) * spec.environments() * layersTimesWidth;
            } else if (spec.policy() == PolicyKind.ATTENTION) {
                // The memory of this segment and of the next, and rings of keys and values, some of them set aside.
                memory = 6.0 * spec.environments() * network.window() * layersTimesWidth;
                remembered = network.window() - 1;
            }
            memory += 2.0 * spec.environments() * rollout.burnIn() * token;
            boolean valueApart = spec.config().valueApart();
            if (network.critic().resolved(spec.policy().remembers(), valueApart) == Critic.SEPARATE) {
                memory *= 2;
            }
            Agent.Size size = Agent.size(backend, spaces, spec.policy(), network, valueApart);
            double passes = spec.config().networkPasses();
            int unit = spec.policy().stepsPerUnit(rollout.rolloutSteps());
            double units = Math.ceil(rows / unit / passes) / spec.policy().unitsPerShard();
            int shards = backend.shards((int) Math.max(1, Math.min(units, Integer.MAX_VALUE)));
            double learned = rows / passes / shards;
            // Of all that a part of the environments plays, its burn-in is the one pass over many steps.
            int players = EnvironmentSet.parts(backend, spec.environments());
            double through = rollout.burnIn() == 0 ? 0 : size.activations() * FORWARD * (rollout.burnIn() + remembered);
            double learning = blocks(learned * size.activations()) + blocks(learned / rollout.rolloutSteps() * through);
            double playing = blocks(Math.ceil((double) spec.environments() / players) * through);
            int atOnce = backend.shardsAtOnce();
            numbers = (shards + 3.0) * size.parameters()
                    + Math.max(Math.min(shards, atOnce) * learning, Math.min(players, atOnce) * playing);
        }
        return new MemoryRequirement(spec, rollouts * FLOAT, memory * FLOAT, numbers * FLOAT);
    }

    /** Numbers of the blocks that so many fit into. */
    private static double blocks(double held) {
        return Math.ceil(held / SCOPE_BLOCK) * SCOPE_BLOCK;
    }

    /** All of it. */
    double bytes() {
        return rollouts + memory + network + PROGRAM;
    }

    /** @throws IllegalArgumentException if there is not as much */
    void check() {
        double needed = bytes();
        double available = Runtime.getRuntime().maxMemory();
        if (needed > available) {
            throw new IllegalArgumentException(String.format(
                    Locale.ROOT,
                    "%s need at least %.1f GiB of memory (%.1f for rollouts, %.1f for what the policy remembers, %.1f for"
                            + " the network and the activations of a minibatch), and the Java heap can have %.1f: lower --envs or"
                            + " rollout_steps first, then window, width and layers, or raise minibatches; FOVEA_JAVA_OPTS=-Xmx%dg"
                            + " gives a larger heap",
                    sizes(),
                    needed / GIB,
                    rollouts / GIB,
                    memory / GIB,
                    network / GIB,
                    available / GIB,
                    (long) Math.ceil(1.5 * needed / GIB)));
        }
        double rows = (double) spec.environments() * spec.config().rollout().rolloutSteps();
        if (rows > LONGEST_ARRAY) {
            throw new IllegalArgumentException(String.format(
                    Locale.ROOT,
                    "%s make rollouts of %,.0f steps, more than the %,.0f that an array can have: lower --envs or"
                            + " rollout_steps",
                    sizes(),
                    rows,
                    LONGEST_ARRAY));
        }
    }

    private String sizes() {
        return String.format(
                Locale.ROOT,
                "%,d environments (--envs) of %,d steps (rollout_steps)",
                spec.environments(),
                spec.config().rollout().rolloutSteps());
    }
}
