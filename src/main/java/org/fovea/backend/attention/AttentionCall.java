// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.attention;

import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One attention: what is asked for, and the arrays it is asked of. It is made of tensors, which become the arrays of a device,
 * and these the backend's own, by {@link #map}.
 *
 * @param query in the layout of the shape, as are key and value
 * @param bias added to the scaled similarities, before any softcap, or null; attention is differentiated by it. It may be by
 *     relative position
 * @param sink [heads] or null: a score that has a part of each query's probability and no value. Neither scaled nor capped
 */
public record AttentionCall<T>(
        AttentionShape shape,
        AttentionSpec spec,
        T query,
        T key,
        T value,
        @Nullable ScoreBias<T> bias,
        @Nullable T sink,
        AttentionMask<T> mask) {

    /** Without bias and sink, nothing hidden but by the spec. */
    public static <T> AttentionCall<T> of(AttentionShape shape, AttentionSpec spec, T query, T key, T value) {
        return new AttentionCall<>(shape, spec, query, key, value, null, null, AttentionMask.none());
    }

    /** The same with another bias. */
    public AttentionCall<T> withBias(@Nullable ScoreBias<T> newBias) {
        return new AttentionCall<>(shape, spec, query, key, value, newBias, sink, mask);
    }

    /** The same with another sink. */
    public AttentionCall<T> withSink(@Nullable T newSink) {
        return new AttentionCall<>(shape, spec, query, key, value, bias, newSink, mask);
    }

    /** The same with another mask. */
    public AttentionCall<T> withMask(AttentionMask<T> newMask) {
        return new AttentionCall<>(shape, spec, query, key, value, bias, sink, newMask);
    }

    /** The same of other queries and keys, by a similarity that may be another. */
    public AttentionCall<T> withRows(AttentionShape newShape, AttentionSpec newSpec, T newQuery, T newKey) {
        return new AttentionCall<>(newShape, newSpec, newQuery, newKey, value, bias, sink, mask);
    }

    /** What attention is differentiated by. */
    public AttentionPlane<T> inputs() {
        return AttentionPlane.inputs(query, key, value, bias == null ? null : bias.array(), sink);
    }

    /** The same of other arrays. */
    public <R> AttentionCall<R> map(Function<? super T, ? extends R> change) {
        return mapNamed((name, x) -> change.apply(x));
    }

    /** The same of other arrays, which are made knowing what each is called. */
    public <R> AttentionCall<R> mapNamed(NamedFunction<? super T, ? extends R> change) {
        return new AttentionCall<>(
                shape,
                spec,
                change.apply("query", query),
                change.apply("key", key),
                change.apply("value", value),
                bias == null ? null : bias.map(x -> change.apply("bias", x)),
                NamedFunction.ofNullable("sink", sink, change),
                mask.map(change));
    }
}
