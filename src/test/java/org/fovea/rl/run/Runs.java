package org.fovea.rl.run;

import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.backend.Backends;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.policy.PolicyKind;

/** Small runs for tests. */
public final class Runs {
    private Runs() {}

    public static Backend cpu(int threads) {
        return Backends.open("cpu", threads).backend();
    }

    static RunSpec small(String environment, PolicyKind policy, long iterations, Map<String, String> settings) {
        return small(environment, Algorithm.PPO, policy, iterations, settings);
    }

    public static RunSpec small(
            String environment, Algorithm algorithm, PolicyKind policy, long iterations, Map<String, String> settings) {
        String minibatches = algorithm == Algorithm.PPO ? "minibatches" : "value_minibatches";
        AlgorithmConfig config = Defaults.of(environment, algorithm, policy)
                .config()
                .with(Map.of("width", "16", "heads", "2", "window", "5", "rollout_steps", "13", minibatches, "2"))
                .with(settings);
        int environments = 40;
        return new RunSpec(
                environment,
                policy,
                iterations * environments * config.rollout().rolloutSteps(),
                environments,
                7,
                config);
    }

    public static float[] parameters(TrainingState state) {
        float[] values = new float[(int) state.agent().parameters().length()];
        state.backend().memory().download(state.agent().parameters().values(), values, 0);
        return values;
    }
}
