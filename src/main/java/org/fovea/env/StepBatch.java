// SPDX-License-Identifier: Apache-2.0
package org.fovea.env;

/**
 * The outcome of a step of a {@link VectorEnvironment}, in arrays that are reused from step to step.
 *
 * @param observations [count, size]; of the next episode where one ended
 * @param rewards [count]
 * @param terminated [count]
 * @param truncated [count]; never together with terminated
 * @param finalObservations [count, size]; written only where an episode ended
 */
public record StepBatch(
        float[] observations, float[] rewards, boolean[] terminated, boolean[] truncated, float[] finalObservations) {

    /** Arrays for {@code count} environments with observations of {@code size} numbers. */
    public static StepBatch allocate(int count, int size) {
        return new StepBatch(
                new float[count * size],
                new float[count],
                new boolean[count],
                new boolean[count],
                new float[count * size]);
    }
}
