package org.fovea.rl.config;

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
public record Defaults(long steps, int environments, AlgorithmConfig config) {

    /** Of attention, for tasks whose episodes are no longer. */
    private static final int SHORT_WINDOW = 16;

    /** Defaults for a policy on an environment, learned by an algorithm. */
    public static Defaults of(String environment, Algorithm algorithm, PolicyKind policy) {
        return algorithm == Algorithm.TRPO ? ofTrpo(environment) : ofPpo(environment, policy);
    }

    private static Defaults ofPpo(String environment, PolicyKind policy) {
        Map<String, String> settings = new HashMap<>();
        long steps = 500_000;
        int environments = 64;
        boolean continuous = isContinuous(environment);
        if (continuous) {
            settings.put("entropy_coef", "0");
        }
        if (continuous || policy == PolicyKind.MLP) {
            // What decides is the number of updates, and small rollouts give more of them.
            environments = 16;
            settings.putAll(Map.of("rollout_steps", "64", "epochs", "8"));
        }
        switch (family(environment)) {
            case "ProofOfMemory-v0" -> {
                steps = 25_000;
                environments = 16;
                settings.putAll(Map.of("rollout_steps", "64", "window", Integer.toString(SHORT_WINDOW)));
            }
            case "MemoryChain-v0" -> {
                steps = 330_000;
                settings.put("rollout_steps", "64");
                if (memoryChainLength(environment) < SHORT_WINDOW) {
                    // An episode is one step longer than its chain, and a window beyond it is time lost.
                    settings.put("window", Integer.toString(SHORT_WINDOW));
                }
            }
            case "CartPole-v1" -> {
                steps = 100_000;
                if (policy == PolicyKind.MLP) {
                    environments = 8;
                    settings.putAll(Map.of("rollout_steps", "32", "epochs", "20", "minibatches", "1"));
                    settings.putAll(Map.of("gamma", "0.98", "gae_lambda", "0.8", "entropy_coef", "0"));
                    settings.putAll(Map.of("normalize_observations", "false", "normalize_rewards", "false"));
                }
            }
            case "Pendulum-v1" -> {
                steps = 100_000;
                environments = 8;
                settings.putAll(Map.of("rollout_steps", "256", "epochs", "10"));
                settings.putAll(Map.of("gamma", "0.9", "gae_lambda", "0.9", "normalize_observations", "false"));
                settings.put("minibatches", policy == PolicyKind.MLP ? "32" : "8");
            }
            default -> {}
        }
        return new Defaults(steps, environments, PpoConfig.BASE.with(settings));
    }

    private static Defaults ofTrpo(String environment) {
        Map<String, String> settings = new HashMap<>();
        long steps = 100_000;
        int environments = 8;
        switch (family(environment)) {
            case "ProofOfMemory-v0" -> {
                steps = 25_000;
                environments = 16;
                settings.putAll(Map.of("rollout_steps", "64", "max_kl", "0.02", "learning_rate", "0.003"));
                settings.put("window", Integer.toString(SHORT_WINDOW));
            }
            case "Acrobot-v1" ->
                settings.putAll(Map.of("max_kl", "0.03", "anneal_max_kl", "true", "gae_lambda", "0.8"));
            case "Pendulum-v1" -> {
                settings.putAll(Map.of("rollout_steps", "256", "value_minibatches", "32"));
                settings.putAll(Map.of("max_kl", "0.06", "anneal_max_kl", "true"));
                settings.putAll(Map.of("gamma", "0.9", "gae_lambda", "0.8", "normalize_observations", "false"));
            }
            default -> {}
        }
        return new Defaults(steps, environments, TrpoConfig.BASE.with(settings));
    }

    private static boolean isContinuous(String environment) {
        return Environments.get(environment).spaces().actions() instanceof Space.Box;
    }

    private static int memoryChainLength(String environment) {
        String given = environment.replaceAll(".*\\blength=(\\d+).*", "$1");
        return given.equals(environment) ? 5 : Integer.parseInt(given);
    }

    /** The name without parameters. */
    private static String family(String environment) {
        int colon = environment.indexOf(':');
        return colon < 0 ? environment : environment.substring(0, colon);
    }
}
