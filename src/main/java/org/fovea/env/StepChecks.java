// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/** Checks of the arguments of {@link VectorEnvironment#step}. */
final class StepChecks {
    private StepChecks() {}

    /**
     * @param choicesOfAction {@link Schema#choices} of the action space
     * @param firstIndex of the batch among the environments of the run, for messages
     * @throws IllegalArgumentException if an array is too short or a choice is none
     */
    static void check(
            VectorEnvironment batch,
            int[] choicesOfAction,
            int firstIndex,
            int[] choices,
            float[] values,
            StepBatch result) {
        int count = batch.count();
        int size = batch.observationSpace().size();
        if (result.rewards().length < count || result.observations().length < count * size) {
            throw new IllegalArgumentException("the step batch holds " + result.rewards().length + " environments and "
                    + result.observations().length + " observation numbers, but this batch has [" + count + ", " + size
                    + "]");
        }
        if (choicesOfAction.length > 0) {
            checkChoices(count, choicesOfAction, firstIndex, choices);
        } else if (values.length < count * batch.actionSpace().size()) {
            throw new IllegalArgumentException("actions have " + values.length + " numbers, expected [" + count + ", "
                    + batch.actionSpace().size() + "]");
        }
    }

    private static void checkChoices(int count, int[] n, int firstIndex, int[] choices) {
        if (choices.length < count * n.length) {
            throw new IllegalArgumentException("there are " + choices.length + " choices for " + count + " environments"
                    + (n.length == 1 ? "" : " of " + n.length + " each"));
        }
        for (int i = 0; i < count * n.length; i++) {
            int part = i % n.length;
            if (choices[i] < 0 || choices[i] >= n[part]) {
                throw new IllegalArgumentException("choice " + choices[i] + (n.length == 1 ? "" : " in part " + part)
                        + " of environment " + (firstIndex + i / n.length) + " is not from 0 to " + (n[part] - 1));
            }
        }
    }
}
