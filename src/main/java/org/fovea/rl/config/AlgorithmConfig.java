package org.fovea.rl.config;

import java.util.Map;

/**
 * Hyper-parameters of a run: those that every algorithm has, in groups, and the algorithm's own. By name, as on the command
 * line, the groups make no difference: {@code --set learning_rate=3e-4}.
 */
public sealed interface AlgorithmConfig permits PpoConfig, TrpoConfig {

    /** Which algorithm these are for. */
    Algorithm algorithm();

    /** The network that is trained. */
    NetworkConfig network();

    /** What is played between updates, and what it is worth. */
    RolloutConfig rollout();

    /** The optimiser. */
    OptimizerConfig optimizer();

    /** Whether the critic has layers of its own on an attention policy, for its updates must leave the policy as it is. */
    boolean separateCritic();

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
