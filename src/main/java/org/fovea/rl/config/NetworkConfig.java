// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.config;

import static org.fovea.rl.config.Hyperparameters.require;

import org.fovea.backend.attention.AttentionSpec.Similarity;

/**
 * Hyper-parameters of the network.
 *
 * @param layers hidden layers of the MLP, transformer blocks, or layers of gated units
 * @param width units of a hidden layer or of a layer of gated units, or the model width of the transformer
 * @param heads attention heads; divides width into even parts
 * @param window steps an attention layer sees, the current one included
 * @param similarity by which attention compares queries and keys
 * @param gating GTrXL's gated residuals in place of additions
 * @param entityLayers layers of attention among the entities of an observation
 * @param previousAction whether the policy is shown the action of the step before
 * @param episodeStep whether the policy is shown how many steps the episode has come
 * @param critic what the value has in common with the policy
 * @param actionLimit how continuous actions are kept within their bounds
 */
public record NetworkConfig(
        int layers,
        int width,
        int heads,
        int window,
        Similarity similarity,
        boolean gating,
        int entityLayers,
        PreviousAction previousAction,
        boolean episodeStep,
        Critic critic,
        ActionLimit actionLimit) {
    /** Two layers of width 64; four heads that see 128 steps. */
    public static final NetworkConfig BASE = new NetworkConfig(
            2, 64, 4, 128, Similarity.DOT, false, 1, PreviousAction.AUTO, false, Critic.AUTO, ActionLimit.CLIP);

    /** Checks every range; the message names the hyper-parameter. */
    public NetworkConfig {
        require(layers >= 1, "layers", layers, "at least 1");
        require(width >= 1, "width", width, "at least 1");
        require(heads >= 1, "heads", heads, "at least 1");
        require(entityLayers >= 1, "entity_layers", entityLayers, "at least 1");
        require(window >= 1, "window", window, "at least 1");
    }
}
