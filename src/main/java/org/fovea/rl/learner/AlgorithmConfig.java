// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.learner;

import java.util.Map;
import org.fovea.collective.Collective;
import org.fovea.env.Space;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.config.OptimizerConfig;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.Rollout;

/**
 * An algorithm and its hyper-parameters: those that every algorithm has, in groups, and its own. By name, as on the command
 * line, the groups make no difference: {@code --set learning_rate=3e-4}.
 */
public interface AlgorithmConfig {

    /** Name of the algorithm. */
    String algorithm();

    /** The network that is trained. */
    NetworkConfig network();

    /** What is played between updates, and what it is worth. */
    RolloutConfig rollout();

    /** The optimiser. */
    OptimizerConfig optimizer();

    /** Whether updates of the value must leave the policy as it is, so that the critic must not be {@link Critic#SHARED}. */
    boolean valueApart();

    /** The hyper-parameter that says how many minibatches a rollout is cut into. */
    String minibatchSetting();

    /** The largest value of {@link #minibatchSetting} for rollouts of {@code rows}, {@code rowsPerUnit} of which stay together. */
    long mostMinibatches(long rows, int rowsPerUnit);

    /** Parts of a rollout that go through the whole network one after another. */
    int networkPasses();

    /**
     * Settings by name, {@code steps} and {@code envs} among them, for environments of which nothing is known: where they
     * differ from the algorithm's base.
     */
    Map<String, String> defaults(PolicyKind policy, Space actions);

    /**
     * What learns from a run's rollouts, which all members of the run have a part of: minibatches are made of parts of theirs, and all of
     * them learn the same.
     *
     * @throws IllegalArgumentException if there are more minibatches than a rollout can be cut into
     */
    Learner learner(Agent agent, Rollout rollout, ActorCritic.Context context, Collective collective);

    /** What learns from the rollouts of a run that has one member. */
    default Learner learner(Agent agent, Rollout rollout, ActorCritic.Context context) {
        return learner(agent, rollout, context, Collective.single());
    }

    /** Every hyper-parameter by name, in order. */
    Map<String, String> asMap();

    /**
     * This with some hyper-parameters replaced.
     *
     * @throws IllegalArgumentException for an unknown name, with the nearest valid ones, or an unreadable or impossible
     *     value
     */
    AlgorithmConfig with(Map<String, String> settings);
}
