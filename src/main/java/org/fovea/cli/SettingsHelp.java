// SPDX-License-Identifier: Apache-2.0
package org.fovea.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.fovea.backend.BackendSettings;
import org.fovea.rl.run.RunSpec;

/** Explains what can be set. */
final class SettingsHelp {
    private static final Map<String, String> MEANINGS = Map.ofEntries(
            Map.entry("layers", "hidden layers of the MLP, transformer blocks, or layers of gated units"),
            Map.entry("width", "units of a layer, or model width of the transformer"),
            Map.entry("heads", "attention heads"),
            Map.entry("window", "steps an attention layer sees, the current one included"),
            Map.entry("similarity", "by which attention compares queries and keys: dot, cosine or euclidean"),
            Map.entry("gating", "GTrXL's gated residuals in place of additions"),
            Map.entry(
                    "previous_action",
                    "the action of the step before: shown to the policy, hidden, or auto, shown to one with a memory"),
            Map.entry("episode_step", "shows the policy the number of the step in its episode, as sines and cosines"),
            Map.entry("entity_layers", "layers of attention among the entities of an observation"),
            Map.entry(
                    "critic",
                    "value and policy: shared, detached (a trunk of the policy's) or separate networks; or auto"),
            Map.entry("action_limit", "how continuous actions are kept within their bounds: clip or tanh"),
            Map.entry("learning_rate", "of Adam, at the start (trpo: of the value function)"),
            Map.entry(
                    "learning_rate_schedule",
                    "how it falls to 0 over the run: constant (not at all), linear or cosine"),
            Map.entry("adaptive_kl", "adapt it to this mean KL of an epoch, in place of the schedule; 0 for not"),
            Map.entry("weight_decay", "of AdamW, for weights but no biases and gains; 0 for none"),
            Map.entry("adam_epsilon", "of Adam"),
            Map.entry("gamma", "discount"),
            Map.entry("gae_lambda", "of generalised advantage estimation"),
            Map.entry("clip", "range of the probability ratio, at the start"),
            Map.entry("clip_schedule", "how it falls to 0 over the run: constant (not at all), linear or cosine"),
            Map.entry("value_clip", "range of the value's change; 0 for none"),
            Map.entry("epochs", "passes over each rollout"),
            Map.entry("minibatches", "parts that each pass is cut into"),
            Map.entry("rollout_steps", "steps of every environment per rollout"),
            Map.entry(
                    "burn_in",
                    "steps before a rollout that a memory is recomputed through before learning from it; 0 for none"),
            Map.entry("entropy_coef", "weight of the entropy bonus"),
            Map.entry("value_coef", "weight of the value loss"),
            Map.entry("max_grad_norm", "limit of the gradient's global norm; 0 for none"),
            Map.entry("target_kl", "no further epoch on a rollout once the mean KL exceeds this; 0 for never"),
            Map.entry("max_kl", "radius of the trust region: largest mean KL divergence of a step"),
            Map.entry("anneal_max_kl", "let it fall linearly to 0 over the run"),
            Map.entry("cg_iterations", "of the conjugate gradient, each with one Fisher-vector product"),
            Map.entry("cg_damping", "added to the diagonal of the Fisher matrix"),
            Map.entry("line_search_steps", "step lengths tried before the policy is left as it was"),
            Map.entry("line_search_factor", "from one step length to the next"),
            Map.entry("value_epochs", "passes over each rollout to fit the value function"),
            Map.entry("value_minibatches", "parts that each of these passes is cut into"),
            Map.entry("normalize_advantage", "standardise advantages, of each minibatch (ppo) or rollout (trpo)"),
            Map.entry("normalize_observations", "by running mean and variance, clipped to [-10, 10]"),
            Map.entry("normalize_rewards", "by the running standard deviation of the return, clipped to [-10, 10]"),
            Map.entry("cublas", "matrix products by cuBLAS: on, off, or auto, large ones where it is installed"),
            Map.entry("precision", "of products on a GPU: float32, tf32, which is faster, or bf16, faster still"),
            Map.entry("graph", "a training step as one launch of a CUDA graph: on, or off, its kernels one by one"));

    private SettingsHelp() {}

    /** What a setting is; empty if it is none. */
    static String meaning(String name) {
        return MEANINGS.getOrDefault(name, "");
    }

    /** The hyper-parameters, and what concerns the backend. */
    static void print(Terminal terminal, RunSpec defaults) {
        print(
                terminal,
                "Hyper-parameters of " + defaults.config().algorithm() + ", with their defaults for "
                        + defaults.environment() + " and policy " + defaults.policy(),
                defaults.config().asMap());
        terminal.out().println();
        print(terminal);
    }

    /** What concerns the backend. */
    static void print(Terminal terminal) {
        print(terminal, "Settings of the cuda backend, which are not kept with a run", BackendSettings.DEFAULT.asMap());
    }

    private static void print(Terminal terminal, String heading, Map<String, String> defaults) {
        terminal.out().println(heading + ":");
        terminal.out().println();
        List<List<String>> rows = new ArrayList<>();
        defaults.forEach((name, value) -> rows.add(List.of("  " + name, value, meaning(name))));
        Table.print(terminal.out(), rows);
    }
}
