// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.Arrays;
import java.util.Locale;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.ObservationEncoder;
import org.fovea.rl.policy.PolicyKind;
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

    /** Numbers per row of a collector and of {@link Rollout} besides observations and actions. */
    private static final int SEGMENT_COLUMNS = 6;

    private static final int ROLLOUT_COLUMNS = 7;

    /** Numbers per row, layer and unit of width that a pass through a block, a layer of gated units, or one of an MLP, and back takes. */
    private static final double BLOCK_ACTIVATIONS = 52;

    private static final double UNIT_ACTIVATIONS = 60;

    private static final double LAYER_ACTIVATIONS = 3.75;

    /** Numbers of the blocks that a scope of the CPU takes its arrays from. */
    private static final double SCOPE_BLOCK = 1 << 20;

    /** Most numbers that a Java array can have. */
    private static final double LONGEST_ARRAY = Integer.MAX_VALUE - 8;

    static MemoryRequirement of(Backend backend, RunSpec spec, EnvironmentSpec.Spaces spaces) {
        boolean onHeap = backend.name().equals("cpu");
        NetworkConfig network = spec.config().network();
        double rows = (double) spec.environments() * spec.config().rollout().rolloutSteps();
        int observation = spaces.observations().size();
        int token = new ObservationEncoder(spaces, spec.policy(), network).size();
        int[] choices = Schema.of(spaces.actions()).choices();
        int action = choices.length > 0 ? choices.length : spaces.actions().size();
        if (spaces.masked()) {
            action += choices.length * Arrays.stream(choices).max().orElseThrow();
        }
        double rollouts = rows * (observation + token + action + SEGMENT_COLUMNS)
                + (onHeap ? rows * (token + action + ROLLOUT_COLUMNS) : 0);
        double memory = 0;
        double numbers = 0;
        if (onHeap) {
            double layersTimesWidth = (double) network.layers() * network.width();
            double parameters = (token + layersTimesWidth - network.width()) * network.width();
            double perRow = LAYER_ACTIVATIONS * layersTimesWidth;
            if (spec.policy() == PolicyKind.GRU) {
                memory = 2.0 * spec.environments() * layersTimesWidth;
                parameters = (token + 6 * layersTimesWidth) * network.width();
                perRow = UNIT_ACTIVATIONS * layersTimesWidth;
            } else if (spec.policy() == PolicyKind.ATTENTION) {
                // The memory of this segment and of the next, and rings of keys and values, some of them set aside.
                memory = 6.0 * spec.environments() * network.window() * layersTimesWidth;
                parameters = (token + 12 * layersTimesWidth) * network.width();
                perRow = BLOCK_ACTIVATIONS * layersTimesWidth;
            }
            boolean valueApart = spec.config().valueApart();
            if (network.critic().resolved(spec.policy().remembers(), valueApart) == Critic.SEPARATE) {
                memory *= 2;
                parameters *= 2;
                perRow *= 2;
            }
            int shards = backend.shards(Integer.MAX_VALUE);
            double blocks = Math.ceil(rows / spec.config().networkPasses() / shards * perRow / SCOPE_BLOCK);
            numbers = (shards + 3) * parameters + Math.min(shards, backend.shardsAtOnce()) * blocks * SCOPE_BLOCK;
        }
        return new MemoryRequirement(spec, rollouts * FLOAT, memory * FLOAT, numbers * FLOAT);
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
