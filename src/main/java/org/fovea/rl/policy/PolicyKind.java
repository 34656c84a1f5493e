// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import java.util.Locale;
import java.util.function.Function;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;

/** The kinds of network a policy can be. */
public enum PolicyKind {
    /** A transformer over the last steps of the episode. */
    ATTENTION(true, AttentionActorCritic::new),
    /** Gated recurrent units over the steps of the episode. */
    GRU(true, RecurrentActorCritic::new),
    /** A multi-layer perceptron that sees the current observation only. */
    MLP(
            false,
            (parameters, config, features, outputs, separateCritic) ->
                    new FeedForwardActorCritic(parameters, config, features, outputs));

    /** Makes a network whose parameters are yet to be allocated. */
    @FunctionalInterface
    interface Network {
        /**
         * Declares the parameters of a network.
         *
         * @param features makes the part that sees one step, given the prefix of its parameters' names
         * @param outputs what becomes of the numbers of the policy's last layer
         * @param separateCritic whether updates of the value must leave the policy as it is
         */
        ActorCritic create(
                Parameters parameters,
                NetworkConfig config,
                Function<String, StepFeatures> features,
                PolicyOutputs outputs,
                boolean separateCritic);
    }

    private final boolean remembers;
    private final Network network;

    PolicyKind(boolean remembers, Network network) {
        this.remembers = remembers;
        this.network = network;
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

    Network network() {
        return network;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
