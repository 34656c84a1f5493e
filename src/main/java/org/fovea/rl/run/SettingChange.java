// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.run;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.fovea.rl.config.Hyperparameters;

/**
 * A hyper-parameter, or the number of steps, that a saved run was given another value for when it was resumed.
 *
 * @param steps that the run had taken before
 * @param setting its name
 */
public record SettingChange(long steps, String setting, String before, String after) {
    private static final String KEY = "changes";
    private static final String STEPS = "steps";
    private static final String BETWEEN = "; ";
    private static final String NEW_RUN = "; start a new run for it, in another --out";

    /** Settings besides the network's that a run cannot change, and why. */
    private static final Map<String, String> FIXED = Map.of(
            "rollout_steps", "its steps and its environments are saved by rollouts of that length",
            "normalize_observations", "it has learned from observations as this makes them",
            "normalize_rewards", "it has learned values of rewards as this makes them");

    /**
     * What one run has other than an earlier part of itself.
     *
     * @throws IllegalArgumentException for what a run cannot change
     */
    static List<SettingChange> between(RunSpec before, RunSpec after, long steps) {
        refuse("env", before.environment(), after.environment());
        refuse("algo", before.config().algorithm(), after.config().algorithm());
        refuse("policy", before.policy(), after.policy());
        refuse("envs", before.environments(), after.environments());
        refuse("seed", before.seed(), after.seed());
        refuse("groups", before.groups(), after.groups());
        List<SettingChange> changes = new ArrayList<>();
        add(changes, steps, STEPS, Long.toString(before.steps()), Long.toString(after.steps()));
        Map<String, String> fixed = new HashMap<>(FIXED);
        Hyperparameters.read(before.config().network())
                .keySet()
                .forEach(name -> fixed.put(name, "its parameters are those of such a network"));
        Map<String, String> values = after.config().asMap();
        if (Float.parseFloat(values.getOrDefault("adaptive_kl", "0")) > 0) {
            fixed.put("learning_rate", "adaptive_kl has long changed it");
        }
        before.config().asMap().forEach((name, value) -> {
            String other = values.getOrDefault(name, value);
            String reason = fixed.get(name);
            if (reason != null && !value.equals(other)) {
                throw new IllegalArgumentException("a saved run cannot change " + name + " from " + value + " to "
                        + other + ", since " + reason + NEW_RUN);
            }
            add(changes, steps, name, value, other);
        });
        return changes;
    }

    /** What a run was before its changes, but for those that were made before its first step. */
    static RunSpec undone(RunSpec spec, List<SettingChange> changes) {
        RunSpec first = spec;
        for (int i = changes.size() - 1; i >= 0; i--) {
            SettingChange change = changes.get(i);
            if (change.steps > 0) {
                first = change.setting.equals(STEPS)
                        ? first.withSteps(Long.parseLong(change.before))
                        : first.with(Map.of(change.setting, change.before));
            }
        }
        return first;
    }

    private static void refuse(String name, Object before, Object after) {
        if (!before.equals(after)) {
            throw new IllegalArgumentException(
                    "a saved run cannot change --" + name + " from " + before + " to " + after + NEW_RUN);
        }
    }

    private static void add(List<SettingChange> changes, long steps, String name, String before, String after) {
        if (!before.equals(after)) {
            changes.add(new SettingChange(steps, name, before, after));
        }
    }

    /** As text by key, for a checkpoint. */
    static Map<String, String> save(List<SettingChange> changes) {
        return changes.isEmpty()
                ? Map.of()
                : Map.of(
                        KEY,
                        changes.stream()
                                .map(change ->
                                        change.steps + " " + change.setting + " " + change.before + " " + change.after)
                                .collect(Collectors.joining(BETWEEN)));
    }

    /** From what {@link #save} gave. */
    static List<SettingChange> restore(Map<String, String> saved) {
        List<SettingChange> changes = new ArrayList<>();
        for (String text : saved.getOrDefault(KEY, "").split(BETWEEN)) {
            String[] parts = text.split(" ");
            if (parts.length == 4) {
                changes.add(new SettingChange(Long.parseLong(parts[0]), parts[1], parts[2], parts[3]));
            }
        }
        return List.copyOf(changes);
    }
}
