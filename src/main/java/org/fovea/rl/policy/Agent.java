// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.policy;

import org.fovea.backend.Backend;
import org.fovea.env.EnvironmentSpec;
import org.fovea.env.Schema;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.tensor.Parameters;
import org.jspecify.annotations.Nullable;

/**
 * A policy with everything that it takes to act.
 *
 * @param spaces of the environments that it acts in
 * @param bounds of a continuous action, else null
 * @param parameters of network and distribution
 * @param distribution of actions
 * @param encoder of steps, into network input
 * @param observations normaliser of observations
 */
public record Agent(
        Backend backend,
        PolicyKind kind,
        EnvironmentSpec.Spaces spaces,
        @Nullable ActionBounds bounds,
        Parameters parameters,
        ActionDistribution distribution,
        StepEncoder encoder,
        ObservationNormalizer observations,
        ActorCritic network)
        implements AutoCloseable {

    /**
     * How large a policy is, of which nothing is allocated.
     *
     * @param parameters numbers that are trained
     * @param activations numbers that a pass over one step in training, and back, takes, as far as is known
     */
    public record Size(long parameters, long activations) {}

    /** The size of what {@link #create} would make. */
    public static Size size(
            Backend backend, EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config, boolean valueApart) {
        Parameters parameters = new Parameters(backend, 0);
        ActorCritic network =
                network(parameters, ActionDistribution.of(spaces, parameters), spaces, kind, config, valueApart);
        return new Size(parameters.length(), network.activations());
    }

    /** The parameters of what {@link #create} would make, not allocated. */
    static Parameters declare(
            Backend backend, EnvironmentSpec.Spaces spaces, PolicyKind kind, NetworkConfig config, boolean valueApart) {
        Parameters parameters = new Parameters(backend, 0);
        network(parameters, ActionDistribution.of(spaces, parameters), spaces, kind, config, valueApart);
        return parameters;
    }

    private static ActorCritic network(
            Parameters parameters,
            ActionDistribution distribution,
            EnvironmentSpec.Spaces spaces,
            PolicyKind kind,
            NetworkConfig config,
            boolean valueApart) {
        Schema schema = Schema.of(spaces.observations());
        int inputs = StepEncoder.size(spaces, kind, config);
        return new ActorCritic(
                parameters,
                kind,
                config,
                config.critic().resolved(kind.remembers(), valueApart),
                name -> new StepFeatures(parameters, name, config, schema, inputs),
                new PolicyOutputs(spaces, distribution.outputs(), config.width()));
    }

    /**
     * A policy before its first update.
     *
     * @param valueApart whether updates of the value must leave the policy as it is
     * @param seed of the parameters
     */
    public static Agent create(
            Backend backend,
            EnvironmentSpec.Spaces spaces,
            PolicyKind kind,
            NetworkConfig config,
            boolean valueApart,
            boolean normalizeObservations,
            long seed) {
        Parameters parameters = new Parameters(backend, seed);
        ActionDistribution distribution = ActionDistribution.of(spaces, parameters);
        ActionBounds bounds = Schema.of(spaces.actions())
                .box()
                .map(box -> new ActionBounds(box, config.actionLimit()))
                .orElse(null);
        Schema schema = Schema.of(spaces.observations());
        ObservationNormalizer observations = new ObservationNormalizer(backend, normalizeObservations, schema);
        StepEncoder encoder = new StepEncoder(backend, spaces, kind, config, distribution, observations);
        ActorCritic network = network(parameters, distribution, spaces, kind, config, valueApart);
        parameters.allocate();
        return new Agent(backend, kind, spaces, bounds, parameters, distribution, encoder, observations, network);
    }

    @Override
    public void close() {
        try (parameters;
                observations) {
            encoder.close();
        }
    }
}
