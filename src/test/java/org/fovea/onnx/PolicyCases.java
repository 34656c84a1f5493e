// SPDX-License-Identifier: Apache-2.0
package org.fovea.onnx;

import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.policy.SavedPolicy;
import org.fovea.rl.policy.StepwiseAgent;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.NearestEntity;
import org.fovea.rl.run.OpenRun;
import org.fovea.rl.run.RunSpec;
import org.fovea.rl.run.Runs;

/** Small policies of every kind. */
final class PolicyCases {
    private PolicyCases() {}

    static Stream<RunSpec> all() {
        return Stream.of(
                of("CartPole-v1", "mlp"),
                of("CartPole-v1", "mlp", "critic=shared", "previous_action=shown", "episode_step=true"),
                of("CartPole-v1", "mlp", "normalize_observations=false", "layers=1", "episode_step=true"),
                of("Pendulum-v1", "mlp", "critic=detached", "previous_action=shown"),
                of(MixedEnvironment.NUMBERS, "mlp", "action_limit=tanh"),
                of(MixedEnvironment.NUMBERS, "attention", "action_limit=tanh", "critic=separate"),
                of(MixedEnvironment.NUMBERS, "gru"),
                // Windows shorter than the episodes, as long as them, and longer.
                of("popgym-RepeatPreviousEasy-v0", "attention", "window=5", "episode_step=true"),
                of("popgym-RepeatPreviousEasy-v0", "attention", "window=51", "gating=true"),
                of("ProofOfMemory-v0", "attention", "window=40", "critic=separate", "gating=true"),
                of("MemoryChain-v0:length=9", "attention", "window=2", "layers=3", "critic=detached"),
                of("CartPole-v1", "attention", "window=1", "previous_action=hidden"),
                of("popgym-RepeatPreviousEasy-v0", "attention", "similarity=cosine"),
                of("popgym-RepeatPreviousEasy-v0", "attention", "similarity=euclidean", "window=9", "gating=true"),
                of("popgym-RepeatPreviousEasy-v0", "gru", "layers=1", "episode_step=true"),
                of("ProofOfMemory-v0", "gru", "layers=3", "critic=separate"),
                of("Dispatch-v0", "mlp"),
                of("Dispatch-v0", "attention"),
                of("Dispatch-v0", "gru", "critic=detached"),
                of("Catch-v0", "mlp"),
                of("Catch-v0+frame_stack=2", "attention"),
                of("Catch-v0:rows=3,columns=2", "gru"),
                of(MixedEnvironment.LARGE_PICTURE, "mlp", "critic=shared"),
                of("EntityGrid-v0", "mlp", "similarity=euclidean", "entity_layers=2"),
                of("EntityGrid-v0", "attention", "similarity=cosine"),
                of("EntityGrid-v0", "gru", "critic=shared"),
                of(NearestEntity.ALONE, "mlp"),
                of(NearestEntity.ALONE, "attention"),
                of(NearestEntity.BESIDE, "gru"),
                of(MixedEnvironment.ALL, "mlp", "critic=shared"),
                of(MixedEnvironment.ALL, "attention", "critic=separate", "episode_step=true"),
                of(MixedEnvironment.ALL, "gru", "normalize_observations=false"),
                of(Algorithm.TRPO, "CartPole-v1", "attention"));
    }

    private static RunSpec of(String environment, String policy, String... settings) {
        return of(Algorithm.PPO, environment, policy, settings);
    }

    private static RunSpec of(Algorithm algorithm, String environment, String policy, String... settings) {
        Map<String, String> values = new HashMap<>(Map.of("normalize_observations", "true"));
        for (String setting : settings) {
            String[] parts = setting.split("=", 2);
            values.put(parts[0], parts[1]);
        }
        return Runs.small(environment, algorithm, PolicyKind.of(policy), 1, values)
                .withEnvironments(8);
    }

    /** The policy after an iteration, with parameters far from those that it began with. */
    static SavedPolicy disturbed(OpenRun run, RunSpec spec) {
        run.iterate(0);
        DeviceArray all = run.agent.parameters().values();
        float[] values = run.parameters();
        Random random = new Random(9);
        for (int i = 0; i < values.length; i++) {
            values[i] += 0.2f * (float) random.nextGaussian();
        }
        run.agent.backend().memory().upload(values, 0, all);
        return StepwiseAgent.save(
                run.agent,
                spec.config().network(),
                spec.config().valueApart(),
                spec.config().rollout().rolloutSteps(),
                Map.of("environment", spec.environment(), "trained_steps", "104"));
    }
}
