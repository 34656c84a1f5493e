package org.fovea.backend.attention;

import org.fovea.backend.memory.DeviceArray;
import org.jspecify.annotations.Nullable;

/**
 * One coefficient, a plane, of a series of everything attention's gradient is a function of, or of that gradient.
 *
 * <p>Let {@code phi = dO . O + dLSE . logSumExp}. Its gradient for query, key, value, bias and sink is attention's backward,
 * and its gradient for dO and dLSE is output and log-sum-exp: argument and result have the same seven parts.
 *
 * @param query of the query; as a result, of its gradient. In its layout, as are all
 * @param output of dO; as a result, of the output
 * @param logSumExp of dLSE; as a result, of the log-sum-exp
 */
public record AttentionPlane(
        @Nullable DeviceArray query,
        @Nullable DeviceArray key,
        @Nullable DeviceArray value,
        @Nullable DeviceArray bias,
        @Nullable DeviceArray sink,
        @Nullable DeviceArray output,
        @Nullable DeviceArray logSumExp) {

    /** Nothing given, or nothing wanted. */
    public static final AttentionPlane NONE = new AttentionPlane(null, null, null, null, null, null, null);

    /** Whether any gradient of an input is there. */
    public boolean hasArguments() {
        return query != null || key != null || value != null || bias != null || sink != null;
    }
}
