// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.rl.policy.PolicyKind;

/** Small runs for tests. */
public final class Runs {
    private Runs() {}

    public static Backend cpu(int threads) {
        return Backends.open("cpu", threads).backend();
    }

    public static RunSpec small(String environment, PolicyKind policy, long iterations, Map<String, String> settings) {
        return small(environment, Algorithm.PPO, policy, iterations, settings);
    }

    /** Forty environments with memory of five steps, if any, in rollouts of thirteen. */
    public static RunSpec small(
            String environment, Algorithm algorithm, PolicyKind policy, long iterations, Map<String, String> settings) {
        RunSpec run = Defaults.of(environment, algorithm, policy)
                .withEnvironments(40)
                .withSeed(7)
                .with(Map.of("width", "16", "heads", "2", "window", "5", "rollout_steps", "13"))
                .with(Map.of(algorithm.base().minibatchSetting(), "2"))
                .with(settings);
        return run.withSteps(iterations * run.stepsPerIteration());
    }

    public static float[] parameters(Trainer trainer) {
        return OpenRun.of(trainer).parameters();
    }
}
