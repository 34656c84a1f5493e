// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.List;
import java.util.Locale;
import org.fovea.env.UnknownNameException;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.ppo.PpoConfig;
import org.fovea.rl.trpo.TrpoConfig;

/** The ways to learn from a rollout; a new one is registered here. */
public enum Algorithm {
    /** Proximal policy optimisation: several epochs of clipped policy-gradient steps. */
    PPO(PpoConfig.BASE),
    /** Trust region policy optimisation: one natural-gradient step, as long as the trust region lets it be. */
    TRPO(TrpoConfig.BASE);

    private final AlgorithmConfig base;
    private final List<String> hyperparameters;

    Algorithm(AlgorithmConfig base) {
        this.base = base;
        this.hyperparameters = List.copyOf(base.asMap().keySet());
    }

    /**
     * The algorithm of that name.
     *
     * @throws UnknownNameException naming the valid ones
     */
    public static Algorithm of(String name) {
        return UnknownNameException.find("algorithm", name, values());
    }

    /** Names of the hyper-parameters, as they are written in {@link AlgorithmConfig#with}. */
    public List<String> hyperparameters() {
        return hyperparameters;
    }

    /** Where every run of it starts from; {@link Defaults} says what differs by policy and environment. */
    AlgorithmConfig base() {
        return base;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
