// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.trpo;

import static org.fovea.rl.config.Hyperparameters.require;

import java.util.Map;
import org.fovea.collective.Collective;
import org.fovea.env.Space;
import org.fovea.rl.config.Critic;
import org.fovea.rl.config.Hyperparameters;
import org.fovea.rl.config.NetworkConfig;
import org.fovea.rl.config.OptimizerConfig;
import org.fovea.rl.config.RolloutConfig;
import org.fovea.rl.config.Schedule;
import org.fovea.rl.learner.AlgorithmConfig;
import org.fovea.rl.learner.Learner;
import org.fovea.rl.policy.ActorCritic;
import org.fovea.rl.policy.Agent;
import org.fovea.rl.policy.PolicyKind;
import org.fovea.rl.rollout.Rollout;

/**
 * Hyper-parameters of TRPO. The optimiser is the value function's; the policy has none.
 *
 * @param maxKl radius of the trust region: largest mean KL divergence, in nats, of the policy before a step from that after
 * @param annealMaxKl let the radius fall linearly to 0 over the run
 * @param cgIterations of the conjugate gradient, each with one Fisher-vector product
 * @param cgDamping added to the diagonal of the Fisher matrix
 * @param lineSearchSteps step lengths tried before the policy is left as it was
 * @param lineSearchFactor from one length to the next
 * @param valueEpochs passes over each rollout to fit the value function
 * @param valueMinibatches parts that each of these passes is cut into
 * @param normalizeAdvantage standardise the advantages of each rollout
 */
public record TrpoConfig(
        NetworkConfig network,
        RolloutConfig rollout,
        OptimizerConfig optimizer,
        float maxKl,
        boolean annealMaxKl,
        int cgIterations,
        float cgDamping,
        int lineSearchSteps,
        float lineSearchFactor,
        int valueEpochs,
        int valueMinibatches,
        boolean normalizeAdvantage)
        implements AlgorithmConfig {

    /** Checks every range; the message names the hyper-parameter. */
    public TrpoConfig {
        if (network.critic() == Critic.SHARED) {
            throw new IllegalArgumentException(
                    "hyper-parameter critic must be auto, detached or separate with trpo, which"
                            + " fits the value with the policy left as it is, got shared");
        }
        require(maxKl > 0 && Float.isFinite(maxKl), "max_kl", maxKl, "a number greater than 0");
        require(cgIterations >= 1, "cg_iterations", cgIterations, "at least 1");
        require(cgDamping >= 0 && Float.isFinite(cgDamping), "cg_damping", cgDamping, "a number from 0 up");
        require(lineSearchSteps >= 1, "line_search_steps", lineSearchSteps, "at least 1");
        require(
                lineSearchFactor > 0 && lineSearchFactor < 1,
                "line_search_factor",
                lineSearchFactor,
                "between 0 and 1");
        require(valueEpochs >= 1, "value_epochs", valueEpochs, "at least 1");
        require(valueMinibatches >= 1, "value_minibatches", valueMinibatches, "at least 1");
    }

    /** Where every run of TRPO starts from. */
    public static final TrpoConfig BASE = new TrpoConfig(
            NetworkConfig.BASE,
            RolloutConfig.BASE,
            new OptimizerConfig(1e-3f, Schedule.CONSTANT, 1e-5f, 0),
            0.01f,
            false,
            15,
            0.1f,
            10,
            0.8f,
            20,
            16,
            true);

    /** Radius of the trust region when the given share of the run is done. */
    double maxKlAt(double progress) {
        return annealMaxKl ? maxKl * (1 - progress) : maxKl;
    }

    @Override
    public String algorithm() {
        return "trpo";
    }

    @Override
    public boolean valueApart() {
        return true;
    }

    @Override
    public String minibatchSetting() {
        return "value_minibatches";
    }

    /** Those of the value function, which is fitted to single steps unless it has a memory of its own. */
    @Override
    public long mostMinibatches(long rows, int rowsPerUnit) {
        return network.critic() == Critic.SEPARATE ? rows / rowsPerUnit : rows;
    }

    @Override
    public int networkPasses() {
        return 1;
    }

    @Override
    public Map<String, String> defaults(PolicyKind policy, Space actions) {
        return Map.of("steps", "100000", "envs", "8");
    }

    @Override
    public Learner learner(Agent agent, Rollout rollout, ActorCritic.Context context, Collective collective) {
        return new Trpo(this, agent, rollout, context, collective);
    }

    @Override
    public Map<String, String> asMap() {
        return Hyperparameters.read(this);
    }

    @Override
    public TrpoConfig with(Map<String, String> settings) {
        return Hyperparameters.replace(this, settings);
    }
}
