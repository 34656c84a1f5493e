// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.Locale;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.policy.ObservationEncoder;
import org.fovea.rl.rollout.Rollout;

/**
 * A lower bound of the Java heap that a run needs, in bytes, so that one that is too large is refused before it starts.
 *
 * @param rollouts what is played between two updates
 * @param memory what an attention policy remembers
 * @param activations of the shards of a minibatch that are worked on at a time
 */
record MemoryRequirement(RunSpec spec, double rollouts, double memory, double activations) {
    private static final double FLOAT = 4;
    private static final double GIB = 1L << 30;

    /** Numbers per row of a collector and of {@link Rollout} besides observations and actions. */
    private static final int SEGMENT_COLUMNS = 6;

    private static final int ROLLOUT_COLUMNS = 7;

    /** Numbers per row, layer and unit of width that a recorded pass through a block or layer holds on to, at least. */
    private static final int BLOCK_ACTIVATIONS = 12;

    private static final int LAYER_ACTIVATIONS = 2;

    /** Most numbers that a Java array can have. */
    private static final double LONGEST_ARRAY = Integer.MAX_VALUE - 8;

    static MemoryRequirement of(Backend backend, RunSpec spec, EnvironmentSpec.Spaces spaces) {
        boolean onHeap = backend.name().equals("cpu");
        boolean remembers = spec.policy().remembers();
        NetworkConfig network = spec.config().network();
        double rows = (double) spec.environments() * spec.config().rollout().rolloutSteps();
        int observation = spaces.observations().size();
        int token = new ObservationEncoder(spaces, spec.policy()).size();
        int action = spaces.actions() instanceof Space.Box box ? box.size() : 1;
        double rollouts = rows * (observation + token + action + SEGMENT_COLUMNS)
                + (onHeap ? rows * (token + action + ROLLOUT_COLUMNS) : 0);
        double memory = 0;
        double activations = 0;
        if (onHeap) {
            double layersTimesWidth = (double) network.layers() * network.width();
            double perRow = LAYER_ACTIVATIONS * 2 * layersTimesWidth;
            if (remembers) {
                // The memory of this segment and of the next, and rings of keys and values.
                memory = 4.0 * spec.environments() * network.window() * layersTimesWidth;
                perRow = BLOCK_ACTIVATIONS * layersTimesWidth;
            }
            activations = rows / spec.config().networkPasses() / backend.shards(Integer.MAX_VALUE) * perRow;
        }
        return new MemoryRequirement(spec, rollouts * FLOAT, memory * FLOAT, activations * FLOAT);
    }

    /** @throws IllegalArgumentException if there is not as much */
    void check() {
        double needed = rollouts + memory + activations;
        double available = Runtime.getRuntime().maxMemory();
        if (needed > available) {
            throw new IllegalArgumentException(String.format(
                    Locale.ROOT,
                    "%s need at least %.1f GiB of memory (%.1f for rollouts, %.1f for what the policy remembers, %.1f for"
                            + " the activations of a minibatch), and the Java heap can have %.1f: lower --envs or"
                            + " rollout_steps first, then window, width and layers, or raise minibatches; FOVEA_JAVA_OPTS=-Xmx%dg"
                            + " gives a larger heap",
                    sizes(),
                    needed / GIB,
                    rollouts / GIB,
                    memory / GIB,
                    activations / GIB,
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
