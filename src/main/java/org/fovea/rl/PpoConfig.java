package org.fovea.rl;

import java.util.List;
import java.util.Map;

/**
 * Hyper-parameters of PPO and of the network, named as the field names them (Schulman et al. 2017; Huang et al. 2022, "The
 * 37 implementation details of PPO"). On the command line the names are written in snake case: {@code --set
 * learning_rate=3e-4}.
 *
 * @param layers hidden layers of the MLP, or transformer blocks
 * @param width units of a hidden layer, or the model width of the transformer
 * @param heads attention heads; divides width into even parts
 * @param window steps an attention layer sees, the current one included
 * @param gating GTrXL's gated residuals in place of additions
 * @param learningRate of Adam, at the start
 * @param annealLearningRate fall linearly to 0 over the run
 * @param adamEpsilon of Adam
 * @param gamma discount
 * @param gaeLambda of generalised advantage estimation
 * @param clip range of the probability ratio
 * @param valueClip range of the value's change, 0 for none
 * @param epochs passes over each rollout
 * @param minibatches parts that each pass is cut into
 * @param rolloutSteps steps of every environment per rollout
 * @param entropyCoef weight of the entropy bonus
 * @param valueCoef weight of the value loss
 * @param maxGradNorm limit of the gradient's global norm, 0 for none
 * @param targetKl no further epoch on a rollout after one whose mean KL exceeds this, 0 for never
 * @param normalizeAdvantage standardise advantages in each minibatch
 * @param normalizeObservations by running mean and variance, clipped to [-10, 10]
 * @param normalizeRewards by the running standard deviation of the discounted return, clipped to [-10, 10]
 */
public record PpoConfig(
        int layers,
        int width,
        int heads,
        int window,
        boolean gating,
        float learningRate,
        boolean annealLearningRate,
        float adamEpsilon,
        float gamma,
        float gaeLambda,
        float clip,
        float valueClip,
        int epochs,
        int minibatches,
        int rolloutSteps,
        float entropyCoef,
        float valueCoef,
        float maxGradNorm,
        float targetKl,
        boolean normalizeAdvantage,
        boolean normalizeObservations,
        boolean normalizeRewards) {

    /** Checks every range; the message names the hyper-parameter. */
    public PpoConfig {
        require(layers >= 1, "layers", layers, "at least 1");
        require(width >= 1, "width", width, "at least 1");
        require(heads >= 1, "heads", heads, "at least 1");
        require(window >= 1, "window", window, "at least 1");
        require(learningRate >= 0 && Float.isFinite(learningRate), "learning_rate", learningRate, "a number from 0 up");
        require(adamEpsilon > 0, "adam_epsilon", adamEpsilon, "greater than 0");
        require(gamma >= 0 && gamma <= 1, "gamma", gamma, "from 0 to 1");
        require(gaeLambda >= 0 && gaeLambda <= 1, "gae_lambda", gaeLambda, "from 0 to 1");
        require(clip > 0, "clip", clip, "greater than 0");
        require(valueClip >= 0, "value_clip", valueClip, "0 (none) or more");
        require(epochs >= 1, "epochs", epochs, "at least 1");
        require(minibatches >= 1, "minibatches", minibatches, "at least 1");
        require(rolloutSteps >= 1, "rollout_steps", rolloutSteps, "at least 1");
        require(entropyCoef >= 0, "entropy_coef", entropyCoef, "0 or more");
        require(valueCoef >= 0, "value_coef", valueCoef, "0 or more");
        require(maxGradNorm >= 0, "max_grad_norm", maxGradNorm, "0 (none) or more");
        require(targetKl >= 0, "target_kl", targetKl, "0 (never) or more");
    }

    /** Where every run starts from; {@link Defaults} says what differs by policy and environment. */
    static final PpoConfig BASE = new PpoConfig(
            2, 64, 4, 16, false, 2.5e-4f, true, 1e-5f, 0.99f, 0.95f, 0.2f, 0f, 4, 4, 128, 0.01f, 0.5f, 0.5f, 0f, true,
            false, false);

    /** Names of all hyper-parameters, as they are written in {@link #with}. */
    public static List<String> names() {
        return Hyperparameters.names(PpoConfig.class);
    }

    /** Every hyper-parameter by name, in order. */
    public Map<String, String> asMap() {
        return Hyperparameters.read(this);
    }

    /**
     * This with some hyper-parameters replaced.
     *
     * @throws IllegalArgumentException for an unknown name, with the nearest valid ones, or an unreadable or impossible
     *     value
     */
    public PpoConfig with(Map<String, String> settings) {
        return Hyperparameters.replace(this, settings);
    }

    private static void require(boolean holds, String name, Number value, String expected) {
        if (!holds) {
            throw new IllegalArgumentException("hyper-parameter " + name + " must be " + expected + ", got " + value);
        }
    }
}
