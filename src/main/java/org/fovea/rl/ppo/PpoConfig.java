// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.ppo;

import static org.fovea.rl.config.Hyperparameters.require;

import java.util.HashMap;
import java.util.Map;
import org.fovea.collective.Collective;
import org.fovea.env.Schema;
import org.fovea.env.Space;
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
 * Hyper-parameters of PPO, named as the field names them (Schulman et al. 2017; Huang et al. 2022, "The 37 implementation
 * details of PPO").
 *
 * @param clip range of the probability ratio, at the start
 * @param clipSchedule how it falls over the run
 * @param valueClip range of the value's change, 0 for none
 * @param epochs passes over each rollout
 * @param minibatches parts that each pass is cut into
 * @param entropyCoef weight of the entropy bonus
 * @param valueCoef weight of the value loss
 * @param targetKl no further epoch on a rollout after one whose mean KL exceeds this, 0 for never
 * @param adaptiveKl mean KL of an epoch that the learning rate is adapted to, in place of its schedule; 0 for none
 * @param weightDecay of AdamW, see {@link org.fovea.optim.Adam}; 0 for none
 * @param normalizeAdvantage standardise advantages in each minibatch
 */
public record PpoConfig(
        NetworkConfig network,
        RolloutConfig rollout,
        OptimizerConfig optimizer,
        float clip,
        Schedule clipSchedule,
        float valueClip,
        int epochs,
        int minibatches,
        float entropyCoef,
        float valueCoef,
        float targetKl,
        float adaptiveKl,
        float weightDecay,
        boolean normalizeAdvantage)
        implements AlgorithmConfig {

    /** Checks every range; the message names the hyper-parameter. */
    public PpoConfig {
        require(clip > 0, "clip", clip, "greater than 0");
        require(valueClip >= 0, "value_clip", valueClip, "0 (none) or more");
        require(epochs >= 1, "epochs", epochs, "at least 1");
        require(minibatches >= 1, "minibatches", minibatches, "at least 1");
        require(entropyCoef >= 0, "entropy_coef", entropyCoef, "0 or more");
        require(valueCoef >= 0, "value_coef", valueCoef, "0 or more");
        require(targetKl >= 0, "target_kl", targetKl, "0 (never) or more");
        require(adaptiveKl >= 0, "adaptive_kl", adaptiveKl, "0 (none) or more");
        require(
                weightDecay >= 0 && Float.isFinite(weightDecay),
                "weight_decay",
                weightDecay,
                "a number from 0 (none) up");
    }

    /** Where every run of PPO starts from. */
    public static final PpoConfig BASE = new PpoConfig(
            NetworkConfig.BASE,
            RolloutConfig.BASE,
            OptimizerConfig.BASE,
            0.2f,
            Schedule.CONSTANT,
            0,
            4,
            4,
            0.01f,
            0.5f,
            0,
            0,
            0,
            true);

    @Override
    public String algorithm() {
        return "ppo";
    }

    @Override
    public boolean valueApart() {
        return false;
    }

    @Override
    public String minibatchSetting() {
        return "minibatches";
    }

    @Override
    public long mostMinibatches(long rows, int rowsPerUnit) {
        return rows / rowsPerUnit;
    }

    @Override
    public int networkPasses() {
        return minibatches;
    }

    @Override
    public Map<String, String> defaults(PolicyKind policy, Space actions) {
        Map<String, String> settings = new HashMap<>(Map.of("steps", "500000", "envs", "64"));
        boolean continuous = Schema.of(actions).box().isPresent();
        if (continuous) {
            settings.put("entropy_coef", "0");
        }
        if (continuous || !policy.remembers()) {
            // What decides is the number of updates, and small rollouts give more of them.
            settings.putAll(Map.of("envs", "16", "rollout_steps", "64", "epochs", "8"));
        }
        return settings;
    }

    @Override
    public Learner learner(Agent agent, Rollout rollout, ActorCritic.Context context, Collective collective) {
        return new Ppo(this, agent, rollout, context, collective);
    }

    @Override
    public Map<String, String> asMap() {
        return Hyperparameters.read(this);
    }

    @Override
    public PpoConfig with(Map<String, String> settings) {
        return Hyperparameters.replace(this, settings);
    }
}
