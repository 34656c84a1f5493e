package org.fovea.rl;

import java.util.HashMap;
import java.util.Map;
import org.fovea.env.Environments;
import org.fovea.env.Space;

/**
 * What a run does where nothing is asked of it: general settings by policy, and those known to be good for the built-in
 * environments.
 *
 * @param steps of all environments together
 * @param environments played side by side
 */
public record Defaults(long steps, int environments, PpoConfig config) {

    /** Defaults for a policy on an environment. */
    public static Defaults of(String environment, PolicyKind policy) {
        Map<String, String> settings = new HashMap<>();
        long steps = 500_000;
        int environments = 64;
        boolean continuous = Environments.get(environment).create(1).actionSpace() instanceof Space.Box;
        if (continuous) {
            settings.put("normalize_observations", "true");
            settings.put("normalize_rewards", "true");
            settings.put("entropy_coef", "0");
        }
        String name = environment.contains(":") ? environment.substring(0, environment.indexOf(':')) : environment;
        switch (name) {
            case "ProofOfMemory-v0" -> {
                steps = 25_000;
                environments = 16;
            }
            case "MemoryChain-v0" -> {
                steps = 330_000;
            }
            case "CartPole-v1" -> {
                steps = 100_000;
            }
            case "Pendulum-v1" -> {
                steps = 100_000;
            }
            default -> {}
        }
        return new Defaults(steps, environments, PpoConfig.BASE.with(settings));
    }
}
