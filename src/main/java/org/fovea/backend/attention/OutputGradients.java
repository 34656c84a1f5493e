package org.fovea.backend.attention;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * Gradients of attention's outputs and the tangents of these gradients; what is null is 0.
 *
 * @param dOutput in the layout of the output
 * @param dLogSumExp [batch, heads, queries]
 * @param dOutputTangent in the layout of the output
 * @param dLogSumExpTangent [batch, heads, queries]
 */
public record OutputGradients(
        DeviceArray dOutput,
        @Nullable DeviceArray dLogSumExp,
        @Nullable DeviceArray dOutputTangent,
        @Nullable DeviceArray dLogSumExpTangent) {}
