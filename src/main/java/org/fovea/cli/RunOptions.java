// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.Map;
import org.fovea.env.Environments;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.run.Algorithm;
import org.fovea.rl.run.Defaults;
import org.fovea.rl.run.RunSpec;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that decide the outcome of a run; null where not given. */
final class RunOptions {
    @Option(
            names = "--env",
            paramLabel = "NAME",
            completionCandidates = Candidates.EnvironmentNames.class,
            description =
                    "Environment, see fovea envs, a class of FOVEA_CLASSPATH, or gym:ID for one of Python's Gymnasium (default:"
                            + " ProofOfMemory-v0).")
    @Nullable
    String environment;

    @Option(
            names = "--algo",
            paramLabel = "NAME",
            completionCandidates = Candidates.Algorithms.class,
            description = "ppo or trpo (default: ppo).")
    @Nullable
    String algorithm;

    @Option(
            names = "--policy",
            paramLabel = "NAME",
            completionCandidates = Candidates.Policies.class,
            description = "attention, gru or mlp (default: attention).")
    @Nullable
    String policy;

    @Option(
            names = "--steps",
            paramLabel = "N",
            description = "Environment steps in all (default: what the environment is known to need).")
    @Nullable
    Long steps;

    @Option(
            names = "--envs",
            paramLabel = "N",
            description = "Environments played side by side (default: by environment).")
    @Nullable
    Integer environments;

    @Option(names = "--seed", paramLabel = "N", description = "Seed; the same gives the same result (default: 1).")
    @Nullable
    Long seed;

    @Option(
            names = "--set",
            paramLabel = Settings.LABEL,
            description = "Set a hyper-parameter or something about the backend; may be repeated. --set help lists"
                    + " what there is.")
    String[] settings = {};

    /** The full name of the environment that is to be played. */
    String environment(EnvironmentOptions more) {
        String given = more.name(environment);
        String name = given == null ? "ProofOfMemory-v0" : given;
        return UsageException.ifIllegal(() -> Environments.get(name)).name();
    }

    PolicyKind policyKind() {
        return policy == null ? PolicyKind.ATTENTION : PolicyKind.of(policy);
    }

    Algorithm algorithmKind() {
        return algorithm == null ? Algorithm.PPO : Algorithm.of(algorithm);
    }

    /** A run of an environment by its defaults, and what was given in place of them. */
    RunSpec spec(String fullName, Map<String, String> hyperparameters) {
        RunSpec defaults = Defaults.of(fullName, algorithmKind(), policyKind());
        return new RunSpec(
                defaults.environment(),
                defaults.policy(),
                steps == null ? defaults.steps() : steps,
                environments == null ? defaults.environments() : environments,
                seed == null ? defaults.seed() : seed,
                defaults.config().with(hyperparameters));
    }
}
