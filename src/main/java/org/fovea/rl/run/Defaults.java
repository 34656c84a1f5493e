// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.EnvironmentSpec.TunedSettings;
import org.fovea.env.Environments;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.policy.PolicyKind;

/**
 * Settings of a run where none are given. Each of these replaces what those before it say:
 *
 * <ol>
 *   <li>the algorithm's base: {@link org.fovea.rl.ppo.PpoConfig#BASE}, {@link org.fovea.rl.trpo.TrpoConfig#BASE}, and the
 *       groups that they share, such as {@link org.fovea.rl.config.OptimizerConfig#BASE}, which has the learning rate;
 *   <li>what differs by policy and kind of action space: {@link AlgorithmConfig#defaults};
 *   <li>what suits the environment: its {@link EnvironmentSpec#tuned} settings, which a built-in one has in its own class.
 * </ol>
 */
public final class Defaults {
    private static final long SEED = 1;

    private Defaults() {}

    /** The run of a policy on an environment, learned by an algorithm. */
    public static RunSpec of(String environment, Algorithm algorithm, PolicyKind policy) {
        EnvironmentSpec spec = Environments.get(environment);
        Map<String, String> settings =
                new HashMap<>(algorithm.base().defaults(policy, spec.spaces().actions()));
        for (TunedSettings tuned : spec.tuned()) {
            if (tuned.isFor(algorithm.toString(), policy.toString())) {
                settings.putAll(tuned.values());
            }
        }
        long steps = Long.parseLong(settings.remove("steps"));
        int environments = Integer.parseInt(settings.remove("envs"));
        return new RunSpec(
                environment, policy, steps, environments, SEED, algorithm.base().with(settings));
    }

    /**
     * The same run with no more minibatches than its rollouts can be cut into, unless their number was given.
     *
     * @param given names of the hyper-parameters that were given
     */
    public static RunSpec fitMinibatches(RunSpec run, Set<String> given) {
        AlgorithmConfig config = run.config();
        String setting = config.minibatchSetting();
        long most = config.mostMinibatches(
                run.stepsPerIteration() / run.groups(),
                run.policy().stepsPerUnit(config.rollout().rolloutSteps()));
        boolean fits = Long.parseLong(config.asMap().get(setting)) <= most;
        return given.contains(setting) || fits ? run : run.with(Map.of(setting, Long.toString(most)));
    }
}
