// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Locale;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.config.NetworkConfig;

/** The kinds of network a policy can be. */
public enum PolicyKind {
    /** A transformer over the last steps of the episode. */
    ATTENTION(true, "", AttentionTrunk::new),
    /** Gated recurrent units over the steps of the episode. */
    GRU(true, "", RecurrentTrunk::new),
    /** A multi-layer perceptron that sees the current observation only. */
    MLP(false, "trunk", FeedForwardTrunk::new);

    private final boolean remembers;
    private final String sharedTrunk;
    private final Trunk.Maker trunk;

    PolicyKind(boolean remembers, String sharedTrunk, Trunk.Maker trunk) {
        this.remembers = remembers;
        this.sharedTrunk = sharedTrunk;
        this.trunk = trunk;
    }

    /**
     * The kind of that name.
     *
     * @throws UnknownNameException naming the valid ones
     */
    public static PolicyKind of(String name) {
        return UnknownNameException.find("policy", name, values());
    }

    /** Whether it acts on earlier steps of the episode too. */
    public boolean remembers() {
        return remembers;
    }

    /** Steps that must stay together in a minibatch, for rollouts of {@code rolloutSteps}. */
    public int stepsPerUnit(int rolloutSteps) {
        return remembers ? rolloutSteps : 1;
    }

    /**
     * Units that are better worked on together than side by side. Gated units take their steps one after the other, each in small
     * operations, which cost about the same for several sequences as for one.
     */
    public int unitsPerShard() {
        return this == GRU ? 8 : 1;
    }

    Trunk.Maker trunk() {
        return trunk;
    }

    /** The name of a trunk that policy and value share, with which those of its parameters begin. */
    public String sharedTrunk() {
        return sharedTrunk;
    }

    /** The name of the layer on a trunk that is not shared: an MLP's is one more of its layers. */
    public String head(NetworkConfig config) {
        return this == MLP ? Integer.toString(config.layers()) : "head";
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
