// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.LinkedHashMap;
import java.util.Map;
import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Environments;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;

/**
 * Everything that determines a run's outcome.
 *
 * @param environment registered name, with parameters if it has any
 * @param steps of all environments together; rounded down to whole rollouts, at least one
 * @param environments played side by side
 * @param groups that the environments are in, each of which fills its part of every minibatch and has a gradient of its own: a power of
 *     two, 1 where all are one
 */
public record RunSpec(
        String environment,
        PolicyKind policy,
        long steps,
        int environments,
        long seed,
        AlgorithmConfig config,
        int groups) {
    static final String ENVIRONMENT = "environment";
    private static final String GROUPS = "groups";
    private static final String PREFIX = "config.";

    /** A run whose environments are one group. */
    public RunSpec(
            String environment, PolicyKind policy, long steps, int environments, long seed, AlgorithmConfig config) {
        this(environment, policy, steps, environments, seed, config, 1);
    }

    /** Checks names and ranges. */
    public RunSpec {
        Environments.get(environment);
        if (steps < 1) {
            throw new IllegalArgumentException("steps must be at least 1, got " + steps);
        }
        if (environments < 1) {
            throw new IllegalArgumentException("envs must be at least 1, got " + environments);
        }
        if (groups < 1 || Integer.bitCount(groups) != 1) {
            throw new IllegalArgumentException("groups must be a power of two, got " + groups);
        }
        if (environments % groups != 0) {
            throw new IllegalArgumentException(
                    "envs must be a multiple of the " + groups + " groups that they are in, got " + environments);
        }
        int burnIn = config.rollout().burnIn();
        if (burnIn > 0 && !policy.remembers()) {
            throw new IllegalArgumentException(
                    "hyper-parameter burn_in must be 0 with policy " + policy + ", which has no memory, got " + burnIn);
        }
    }

    /** Steps of one rollout of all environments. */
    public long stepsPerIteration() {
        return (long) environments * config.rollout().rolloutSteps();
    }

    /** Number of rollouts in the run. */
    public long iterations() {
        return Math.max(1, steps / stepsPerIteration());
    }

    /** The same run, longer or shorter. */
    public RunSpec withSteps(long newSteps) {
        return new RunSpec(environment, policy, newSteps, environments, seed, config, groups);
    }

    /** The same run with more or fewer environments side by side. */
    public RunSpec withEnvironments(int count) {
        return new RunSpec(environment, policy, steps, count, seed, config, groups);
    }

    /** The same run with another seed. */
    public RunSpec withSeed(long newSeed) {
        return new RunSpec(environment, policy, steps, environments, newSeed, config, groups);
    }

    /** The same run with its environments in more or fewer groups. */
    public RunSpec withGroups(int count) {
        return new RunSpec(environment, policy, steps, environments, seed, config, count);
    }

    /** Environments of a group. */
    int environmentsPerGroup() {
        return environments / groups;
    }

    /** The same run with some hyper-parameters replaced; see {@link AlgorithmConfig#with}. */
    public RunSpec with(Map<String, String> hyperparameters) {
        return new RunSpec(environment, policy, steps, environments, seed, config.with(hyperparameters), groups);
    }

    /** A new policy for it. */
    Agent createAgent(Backend backend, EnvironmentSpec.Spaces spaces) {
        return Agent.create(
                backend,
                spaces,
                policy,
                config.network(),
                config.valueApart(),
                config.rollout().normalizeObservations(),
                seed);
    }

    /** As text by key, for checkpoints and results. */
    public Map<String, String> save() {
        Map<String, String> saved = new LinkedHashMap<>();
        saved.put(ENVIRONMENT, environment);
        saved.put("algorithm", config.algorithm());
        saved.put("policy", policy.toString());
        saved.put("steps", Long.toString(steps));
        saved.put("environments", Integer.toString(environments));
        saved.put("seed", Long.toString(seed));
        if (groups > 1) {
            saved.put(GROUPS, Integer.toString(groups));
        }
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
        // As earlier versions saved it.
        String annealed = settings.remove("anneal_learning_rate");
        if (annealed != null) {
            settings.put("learning_rate_schedule", annealed.equals("true") ? "linear" : "constant");
        }
        return new RunSpec(
                required(saved, ENVIRONMENT),
                PolicyKind.of(required(saved, "policy")),
                Long.parseLong(required(saved, "steps")),
                Integer.parseInt(required(saved, "environments")),
                Long.parseLong(required(saved, "seed")),
                Algorithm.of(required(saved, "algorithm")).base().with(settings),
                Integer.parseInt(saved.getOrDefault(GROUPS, "1")));
    }

    private static String required(Map<String, String> saved, String key) {
        String value = saved.get(key);
        if (value == null) {
            throw new IllegalArgumentException("the checkpoint's configuration lacks '" + key + "'");
        }
        return value;
    }
}
