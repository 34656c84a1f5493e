// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.fovea.env.Schema;
import org.fovea.env.Space;
import org.fovea.rl.policy.ActionDistribution;

/** The distributions of actions in the steps of an episode, from the numbers that determine them. */
final class StepDistributions {
    private final Schema actions;
    private final int[] choices;
    private final int size;
    private final float[] parameters;

    /** @param parameters {@link ActionDistribution#parameters} of each step, of choices the logits, before any is forbidden */
    StepDistributions(ActionDistribution distribution, Space actionSpace, float[] parameters) {
        this.actions = Schema.of(actionSpace);
        this.choices = actions.choices();
        this.size = distribution.parameterCount();
        this.parameters = parameters;
    }

    /**
     * Of the choices of all parts, one behind the other.
     *
     * @param allowed which may be chosen; empty where all may
     */
    float[] probabilities(int step, boolean[] allowed) {
        float[] probabilities = new float[Arrays.stream(choices).sum()];
        int first = 0;
        for (int part = 0; part < choices.length; part++) {
            int logits = step * size + part * (size / choices.length);
            double largest = Double.NEGATIVE_INFINITY;
            for (int choice = 0; choice < choices[part]; choice++) {
                if (allowed.length == 0 || allowed[first + choice]) {
                    largest = Math.max(largest, parameters[logits + choice]);
                }
            }
            double sum = 0;
            for (int choice = 0; choice < choices[part]; choice++) {
                if (allowed.length == 0 || allowed[first + choice]) {
                    double weight = Math.exp(parameters[logits + choice] - largest);
                    probabilities[first + choice] = (float) weight;
                    sum += weight;
                }
            }
            for (int choice = 0; choice < choices[part]; choice++) {
                probabilities[first + choice] = (float) (probabilities[first + choice] / sum);
            }
            first += choices[part];
        }
        return probabilities;
    }

    /** Of the numbers; empty where choices are made. */
    float[] means(int step) {
        int numbers = choices.length > 0 ? 0 : size / 2;
        return Arrays.copyOfRange(parameters, step * size, step * size + numbers);
    }

    /** Standard deviations of the numbers; empty where choices are made. */
    float[] deviations(int step) {
        int numbers = choices.length > 0 ? 0 : size / 2;
        float[] deviations = new float[numbers];
        for (int i = 0; i < numbers; i++) {
            deviations[i] = (float) Math.exp(parameters[step * size + numbers + i]);
        }
        return deviations;
    }

    /** The probabilities of those choices that are of entities, as what the policy looks at. */
    List<AttentionMap> choicesOfEntities(List<Episode.Step> steps) {
        List<AttentionMap> maps = new ArrayList<>();
        int first = 0;
        for (Schema.Leaf leaf : actions.leaves()) {
            if (leaf.space() instanceof Space.EntityChoice choice) {
                float[] weights = new float[steps.size() * choice.most()];
                for (int step = 0; step < steps.size(); step++) {
                    System.arraycopy(
                            steps.get(step).probabilities(), first, weights, step * choice.most(), choice.most());
                }
                maps.add(new AttentionMap(
                        AttentionMap.Over.CHOICE, choice.entities(), 0, steps.size(), 1, 1, choice.most(), weights));
            }
            first += Arrays.stream(Schema.of(leaf.space()).choices()).sum();
        }
        return maps;
    }
}
