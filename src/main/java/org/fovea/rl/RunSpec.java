package org.fovea.rl;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.fovea.env.Environments;
import org.fovea.env.UnknownNameException;

/**
 * Everything that decides a run's outcome.
 *
 * @param environment registered name, with parameters if it has any
 * @param algorithm {@code ppo}
 * @param steps of all environments together; rounded down to whole rollouts, at least one
 * @param environments played side by side
 */
public record RunSpec(
        String environment,
        String algorithm,
        PolicyKind policy,
        long steps,
        int environments,
        long seed,
        PpoConfig config) {
    private static final String PREFIX = "config.";

    /** Names of the algorithms. */
    public static final List<String> ALGORITHMS = List.of("ppo");

    /** Checks names and ranges. */
    public RunSpec {
        if (!ALGORITHMS.contains(algorithm)) {
            throw new UnknownNameException("algorithm", algorithm, ALGORITHMS);
        }
        Environments.get(environment);
        if (steps < 1) {
            throw new IllegalArgumentException("steps must be at least 1, got " + steps);
        }
        if (environments < 1) {
            throw new IllegalArgumentException("envs must be at least 1, got " + environments);
        }
    }

    /** Steps of one rollout of all environments. */
    public long stepsPerIteration() {
        return (long) environments * config.rolloutSteps();
    }

    /** Number of rollouts in the run. */
    public long iterations() {
        return Math.max(1, steps / stepsPerIteration());
    }

    /** The same run, longer or shorter. */
    public RunSpec withSteps(long newSteps) {
        return new RunSpec(environment, algorithm, policy, newSteps, environments, seed, config);
    }

    /** As text by key, for a checkpoint. */
    Map<String, String> save() {
        Map<String, String> saved = new LinkedHashMap<>();
        saved.put("environment", environment);
        saved.put("algorithm", algorithm);
        saved.put("policy", policy.toString());
        saved.put("steps", Long.toString(steps));
        saved.put("environments", Integer.toString(environments));
        saved.put("seed", Long.toString(seed));
        config.asMap().forEach((name, value) -> saved.put(PREFIX + name, value));
        return saved;
    }

    /** From what {@link #save} gave. */
    static RunSpec restore(Map<String, String> saved) {
        Map<String, String> settings = new LinkedHashMap<>();
        saved.forEach((key, value) -> {
            if (key.startsWith(PREFIX)) {
                settings.put(key.substring(PREFIX.length()), value);
            }
        });
        return new RunSpec(
                required(saved, "environment"),
                required(saved, "algorithm"),
                PolicyKind.of(required(saved, "policy")),
                Long.parseLong(required(saved, "steps")),
                Integer.parseInt(required(saved, "environments")),
                Long.parseLong(required(saved, "seed")),
                PpoConfig.BASE.with(settings));
    }

    private static String required(Map<String, String> saved, String key) {
        String value = saved.get(key);
        if (value == null) {
            throw new IllegalArgumentException("the checkpoint's configuration lacks '" + key + "'");
        }
        return value;
    }
}
