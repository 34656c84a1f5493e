// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import java.util.List;
import org.fovea.backend.Backend;
import org.fovea.backend.math.BinaryOp;
import org.fovea.backend.memory.DeviceArray;
import org.fovea.collective.Collective;
import org.fovea.optim.ConjugateGradient;
import org.fovea.rl.learner.Shards;
import org.fovea.rl.policy.ActionDistribution;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.tensor.Parameters;
import org.fovea.tensor.Tape;
import org.fovea.tensor.Tensor;

/**
 * Products with the policy's Fisher matrix, which is the Hessian of the mean KL divergence from the policy at its present
 * parameters:
 *
 * <pre>
 *   F v = 1/rows sum over rows of J^T M (J v) + damping v
 * </pre>
 *
 * with J the Jacobian of what the network gives the action distribution, and M the Fisher matrix of that distribution, which
 * is known in closed form. J v is a forward derivative through the network, {@code J^T u} a backward one; no matrix is formed.
 *
 * <p>Each product recomputes the forward pass: kept, its activations and those of its gradient would have to outlive the shards,
 * and would hold as much memory as the whole rollout takes at once, for the sake of about a third of the work.
 */
final class FisherVectorProduct implements ConjugateGradient.Operator, AutoCloseable {
    private final Backend backend;
    private final ActionDistribution distribution;
    private final Parameters parameters;
    private final ActorCritic.Context context;
    private final Shards shards;
    private final DeviceArray units;
    private final DeviceArray damping;
    private final Collective collective;

    /**
     * @param units of the rollout whose observations count
     * @param collective members whose rollouts count
     */
    FisherVectorProduct(
            Agent agent,
            ActorCritic.Context context,
            Shards shards,
            DeviceArray units,
            float damping,
            Collective collective) {
        this.collective = collective;
        this.backend = agent.backend();
        this.distribution = agent.distribution();
        this.parameters = agent.parameters();
        this.context = context;
        this.shards = shards;
        this.units = units;
        this.damping = backend.memory().allocate(backend.memory().floatType(), 1);
        backend.memory().fill(this.damping, damping);
    }

    /** Both laid out like the parameters. */
    @Override
    public void apply(DeviceArray direction, DeviceArray product) {
        double weight = 1.0 / ((double) shards.rows(units) * collective.size());
        DeviceArray sum = shards.sumGradients(units, shard -> {
            try (Tape tape = Tape.recording(backend)) {
                Tensor policy = context.policy(shard.observations(tape), shard.units());
                Tensor outputs = distribution.parameters(distribution.restrict(policy, shard.masks(tape)));
                Tensor tangent = tape.directionalDerivative(outputs, parameters, direction);
                Tensor weighted =
                        distribution.fisherProduct(outputs.detach(), tangent).multiply(weight);
                tape.gradientsInto(List.of(outputs), List.of(weighted), parameters, shard.gradient());
            }
        });
        collective.allReduceSum(sum);
        int[] shape = {Math.toIntExact(parameters.length())};
        int[] stride = {1};
        backend.math().zip(BinaryOp.MULTIPLY, shape, direction, stride, damping, new int[] {0}, product);
        backend.math().zip(BinaryOp.ADD, shape, sum, stride, product, stride, product);
    }

    @Override
    public void close() {
        damping.release();
    }
}
