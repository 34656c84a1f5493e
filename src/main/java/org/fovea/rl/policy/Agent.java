package org.fovea.rl.policy;

import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Space;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;

/** A policy with everything that it takes to act: network, parameters, distribution, and encoding of observations. */
public final class Agent implements AutoCloseable {
    private final Backend backend;
    private final Space actionSpace;
    private final Parameters parameters;
    private final ActionDistribution distribution;
    private final ObservationEncoder encoder;
    private final ObservationNormalizer observations;
    private final PolicyKind kind;
    private final ActorCritic network;

    /**
     * A policy before its first update.
     *
     * @param separateCritic whether updates of the value must leave the policy as it is
     * @param seed of the parameters
     */
    public Agent(
            Backend backend,
            EnvironmentSpec.Spaces spaces,
            PolicyKind kind,
            NetworkConfig config,
            boolean separateCritic,
            boolean normalizeObservations,
            long seed) {
        this.backend = backend;
        this.kind = kind;
        this.actionSpace = spaces.actions();
        this.parameters = new Parameters(backend, seed);
        this.distribution = ActionDistribution.of(actionSpace, parameters);
        this.encoder = new ObservationEncoder(spaces, kind);
        this.observations = new ObservationNormalizer(
                normalizeObservations, spaces.observations().size());
        this.network =
                kind.network().create(parameters, config, encoder.size(), distribution.outputs(), separateCritic);
        parameters.allocate();
    }

    public Backend backend() {
        return backend;
    }

    Space actionSpace() {
        return actionSpace;
    }

    public Parameters parameters() {
        return parameters;
    }

    public ActionDistribution distribution() {
        return distribution;
    }

    public ObservationEncoder encoder() {
        return encoder;
    }

    public ObservationNormalizer observations() {
        return observations;
    }

    public PolicyKind kind() {
        return kind;
    }

    public ActorCritic network() {
        return network;
    }

    @Override
    public void close() {
        parameters.close();
    }
}
