// SPDX-License-Identifier: Apache-2.0
package org.fovea.rl.evaluation;

/**
 * What one layer of a policy attended to in each step of an episode: probabilities, which add up to 1 over the keys that a query sees.
 *
 * @param over what the keys are
 * @param path of the entities in the observation; empty for {@link Over#STEPS}
 * @param layer from 0
 * @param steps of the episode
 * @param heads of the layer
 * @param queries of each step: 1, or one for each entity
 * @param keys of each query: for {@link Over#STEPS} the steps that the window reaches, where key k is the step k before the query's
 *     own; else the rows of the entities
 * @param weights [steps, heads, queries, keys]
 */
public record AttentionMap(
        Over over, String path, int layer, int steps, int heads, int queries, int keys, float[] weights) {

    /** What is attended to. */
    public enum Over {
        /** The step itself and those before it. */
        STEPS,
        /** The entities of an observation, by each of them; by all in the mean where there are too many to keep. */
        ENTITIES,
        /** The entities of an observation, as the action chooses among them. */
        CHOICE
    }

    /** The weight of a key. */
    public float weight(int step, int head, int query, int key) {
        return weights[((step * heads + head) * queries + query) * keys + key];
    }

    /** Mean over the heads. */
    public float meanWeight(int step, int query, int key) {
        float sum = 0;
        for (int head = 0; head < heads; head++) {
            sum += weight(step, head, query, key);
        }
        return sum / heads;
    }

    /** The layer as people read it: {@code layer 1 over steps}. */
    public String name() {
        String which = path.isEmpty() ? "" : " " + path;
        return switch (over) {
            case STEPS -> "layer " + layer + " over steps";
            case ENTITIES -> "layer " + layer + " over entities" + which;
            case CHOICE -> "choice of entities" + which;
        };
    }
}
