package org.fovea.rl.config;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.fovea.env.UnknownNameException;

/** The ways to learn from a rollout. */
public enum Algorithm {
    /** Proximal policy optimisation: several epochs of clipped policy-gradient steps. */
    PPO(PpoConfig.BASE),
    /** Trust region policy optimisation: one natural-gradient step, as long as the trust region lets it be. */
    TRPO(TrpoConfig.BASE);

    private final AlgorithmConfig base;

    Algorithm(AlgorithmConfig base) {
        this.base = base;
    }

    /**
     * The algorithm of that name.
     *
     * @throws IllegalArgumentException naming the valid ones
     */
    public static Algorithm of(String name) {
        return Arrays.stream(values())
                .filter(algorithm -> algorithm.toString().equals(name))
                .findFirst()
                .orElseThrow(() -> new UnknownNameException("algorithm", name, names()));
    }

    /** All names. */
    public static List<String> names() {
        return Arrays.stream(values()).map(Algorithm::toString).toList();
    }

    /** Names of the hyper-parameters, as they are written in {@link AlgorithmConfig#with}. */
    public List<String> hyperparameters() {
        return List.copyOf(base.asMap().keySet());
    }

    /** Where every run of it starts from; {@link Defaults} says what differs by policy and environment. */
    public AlgorithmConfig base() {
        return base;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
