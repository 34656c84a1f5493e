package org.fovea.rl.learner;

import java.util.Map;
import java.util.Set;
import org.fovea.rl.config.Algorithm;
import org.fovea.rl.config.AlgorithmConfig;
import org.fovea.rl.config.PolicyKind;

/** How many minibatches a rollout can be cut into: an attention policy's keep what each environment played whole. */
public final class MinibatchLimit {
    private MinibatchLimit() {}

    /** The hyper-parameter that says how many there are. */
    public static String setting(Algorithm algorithm) {
        return algorithm == Algorithm.TRPO ? "value_minibatches" : "minibatches";
    }

    /**
     * The configuration with no more minibatches than there can be, unless their number was asked for.
     *
     * @param given names of the hyper-parameters that were asked for
     */
    public static AlgorithmConfig fit(AlgorithmConfig config, PolicyKind policy, int environments, Set<String> given) {
        String setting = setting(config.algorithm());
        boolean whole = policy == PolicyKind.ATTENTION && config.algorithm() == Algorithm.PPO;
        long most =
                whole ? environments : (long) environments * config.rollout().rolloutSteps();
        if (given.contains(setting) || most < 1 || Long.parseLong(config.asMap().get(setting)) <= most) {
            return config;
        }
        return config.with(Map.of(setting, Long.toString(most)));
    }
}
