package org.fovea.backend.attention;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * One array for each input that attention is differentiated by, in its layout: tangents, gradients, or tangents of
 * gradients.
 *
 * @param bias in the extents of the inputs' bias; null for a tangent of 0, or a gradient that is not wanted
 * @param sink [heads], likewise
 */
public record AttentionArguments(
        DeviceArray query,
        DeviceArray key,
        DeviceArray value,
        @Nullable DeviceArray bias,
        @Nullable DeviceArray sink) {

    /** Of query, key and value alone. */
    public AttentionArguments(DeviceArray query, DeviceArray key, DeviceArray value) {
        this(query, key, value, null, null);
    }
}
