package org.fovea.rl.policy;

import org.fovea.backend.Backend;
import org.fovea.env.Space;
import org.fovea.rl.config.AlgorithmConfig;
import org.fovea.rl.config.PolicyKind;
import org.fovea.tensor.Parameters;

/** A policy with everything it needs to be asked: network, parameters, distribution, and how observations are shown. */
public final class Agent implements AutoCloseable {
    private final Backend backend;
    private final Space actionSpace;
    private final Parameters parameters;
    private final ActionDistribution distribution;
    private final ObservationEncoder encoder;
    private final ObservationNormalizer observations;
    private final ActorCritic network;

    public Agent(
            Backend backend,
            Space observationSpace,
            Space actionSpace,
            PolicyKind policy,
            AlgorithmConfig config,
            long seed) {
        this.backend = backend;
        this.actionSpace = actionSpace;
        this.parameters = new Parameters(backend, seed);
        this.distribution = ActionDistribution.of(actionSpace, parameters);
        boolean remembers = policy == PolicyKind.ATTENTION;
        this.encoder = new ObservationEncoder(observationSpace, actionSpace, remembers);
        this.observations =
                new ObservationNormalizer(config.rollout().normalizeObservations(), observationSpace.size());
        int outputs = distribution.outputs();
        this.network = remembers
                ? new AttentionActorCritic(
                        backend, parameters, config.network(), encoder.size(), outputs, config.separateCritic())
                : new FeedForwardActorCritic(parameters, config.network(), encoder.size(), outputs);
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

    public ActorCritic network() {
        return network;
    }

    @Override
    public void close() {
        parameters.close();
    }
}
