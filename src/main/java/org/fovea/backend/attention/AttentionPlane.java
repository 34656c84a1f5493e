// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One array for everything that attention's gradient is a function of: tangents, gradients, or a coefficient of a series.
 *
 * <p>Let {@code phi = dO . O + dLSE . logSumExp}. Its gradient for query, key, value, bias and sink is attention's backward,
 * and its gradient for dO and dLSE is output and log-sum-exp: argument and result have the same seven parts. What is null is
 * 0 as an argument, and not wanted as a result.
 *
 * @param query of the query; as a result, of its gradient. In its layout, as are all
 * @param bias in the extents of the call's bias
 * @param sink [heads]
 * @param output of dO; as a result, of the output
 * @param logSumExp of dLSE; as a result, of the log-sum-exp, [batch, heads, queries]
 */
public record AttentionPlane<T>(
        @Nullable T query,
        @Nullable T key,
        @Nullable T value,
        @Nullable T bias,
        @Nullable T sink,
        @Nullable T output,
        @Nullable T logSumExp) {

    /** Nothing given, or nothing wanted. */
    public static <T> AttentionPlane<T> none() {
        return new AttentionPlane<>(null, null, null, null, null, null, null);
    }

    /** Of the inputs alone. */
    public static <T> AttentionPlane<T> inputs(
            @Nullable T query, @Nullable T key, @Nullable T value, @Nullable T bias, @Nullable T sink) {
        return new AttentionPlane<>(query, key, value, bias, sink, null, null);
    }

    /** Of query, key and value alone. */
    public static <T> AttentionPlane<T> inputs(@Nullable T query, @Nullable T key, @Nullable T value) {
        return inputs(query, key, value, null, null);
    }

    /** Of output and log-sum-exp alone. */
    public static <T> AttentionPlane<T> outputs(@Nullable T output, @Nullable T logSumExp) {
        return new AttentionPlane<>(null, null, null, null, null, output, logSumExp);
    }

    /** The same with other parts of output and log-sum-exp. */
    public AttentionPlane<T> withOutputs(@Nullable T newOutput, @Nullable T newLogSumExp) {
        return new AttentionPlane<>(query, key, value, bias, sink, newOutput, newLogSumExp);
    }

    /** The same with other parts of query, key and value. */
    public AttentionPlane<T> withRows(@Nullable T newQuery, @Nullable T newKey, @Nullable T newValue) {
        return new AttentionPlane<>(newQuery, newKey, newValue, bias, sink, output, logSumExp);
    }

    /** The parts of the inputs alone. */
    public AttentionPlane<T> ofInputs() {
        return withOutputs(null, null);
    }

    /** The parts of output and log-sum-exp alone. */
    public AttentionPlane<T> ofOutputs() {
        return outputs(output, logSumExp);
    }

    /** Whether any part of an input is there. */
    public boolean hasInputs() {
        return query != null || key != null || value != null || bias != null || sink != null;
    }

    /** All seven, in the order of the record. */
    public List<@Nullable T> parts() {
        return Arrays.asList(query, key, value, bias, sink, output, logSumExp);
    }

    /** Those that are there. */
    public List<T> present() {
        return parts().stream()
                .filter(Objects::nonNull)
                .map(Objects::requireNonNull)
                .toList();
    }

    /** The same of other arrays; where {@code change} gives null there is none. */
    public <R> AttentionPlane<R> map(Function<? super T, ? extends @Nullable R> change) {
        return mapNamed((name, x) -> change.apply(x));
    }

    /** The same of other arrays, which are made knowing what each is called. */
    public <R> AttentionPlane<R> mapNamed(NamedFunction<? super T, ? extends @Nullable R> change) {
        return new AttentionPlane<>(
                NamedFunction.ofNullable("query", query, change),
                NamedFunction.ofNullable("key", key, change),
                NamedFunction.ofNullable("value", value, change),
                NamedFunction.ofNullable("bias", bias, change),
                NamedFunction.ofNullable("sink", sink, change),
                NamedFunction.ofNullable("output", output, change),
                NamedFunction.ofNullable("logSumExp", logSumExp, change));
    }
}
