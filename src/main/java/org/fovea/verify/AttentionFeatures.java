// SPDX-License-Identifier: Apache-2.0
package org.fovea.verify;

import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.fovea.backend.attention.AttentionBand;
import org.fovea.backend.attention.AttentionShape;
import org.fovea.backend.attention.AttentionShape.Layout;
import org.fovea.backend.attention.AttentionSpec;
import org.fovea.backend.memory.DType;
import org.jspecify.annotations.Nullable;

/**
 * Shape, settings and optional operands of an attention, without their numbers.
 *
 * @param name for people
 * @param type of query, key and value; null for that of the backend's arithmetic
 * @param bias which of its axes, batch (8), heads (4), queries (2), keys (1), are not of length 1; {@link #NONE} for none
 * @param reach of a bias by relative position, whose axes can be batch and heads alone; {@link #NONE} if it is by pair
 * @param mask likewise; a third of it hides
 * @param hides whether what no query sees, and what belongs to queries that see nothing, is NaN
 */
public record AttentionFeatures(
        String name,
        AttentionShape shape,
        AttentionSpec spec,
        @Nullable DType type,
        int bias,
        int reach,
        int mask,
        boolean sink,
        boolean alibi,
        boolean segments,
        @Nullable List<Integer> lengths,
        @Nullable List<Integer> querySequences,
        @Nullable List<Integer> keySequences,
        boolean hides) {

    public static final int NONE = -1;

    /** Every axis of a bias or a mask. */
    public static final int DENSE = 15;

    public AttentionFeatures(String name, AttentionShape shape, AttentionSpec spec) {
        this(name, shape, spec, null, NONE, NONE, NONE, false, false, false, null, null, null, false);
    }

    /** The components, to be changed. */
    private static final class Draft {
        String name;
        AttentionShape shape;
        AttentionSpec spec;

        @Nullable
        DType type;

        int bias;
        int reach;
        int mask;
        boolean sink;
        boolean alibi;
        boolean segments;

        @Nullable
        List<Integer> lengths;

        @Nullable
        List<Integer> querySequences;

        @Nullable
        List<Integer> keySequences;

        boolean hides;

        Draft(AttentionFeatures x) {
            name = x.name;
            shape = x.shape;
            spec = x.spec;
            type = x.type;
            bias = x.bias;
            reach = x.reach;
            mask = x.mask;
            sink = x.sink;
            alibi = x.alibi;
            segments = x.segments;
            lengths = x.lengths;
            querySequences = x.querySequences;
            keySequences = x.keySequences;
            hides = x.hides;
        }
    }

    private AttentionFeatures with(Consumer<Draft> change) {
        Draft x = new Draft(this);
        change.accept(x);
        return new AttentionFeatures(
                x.name,
                x.shape,
                x.spec,
                x.type,
                x.bias,
                x.reach,
                x.mask,
                x.sink,
                x.alibi,
                x.segments,
                x.lengths,
                x.querySequences,
                x.keySequences,
                x.hides);
    }

    public static AttentionShape shape(
            int batch, int heads, int keyHeads, int queries, int keys, int dim, int valueDim) {
        Layout layout = (heads + queries) % 2 == 0 ? Layout.BHND : Layout.BNHD;
        return new AttentionShape(batch, heads, keyHeads, queries, keys, dim, valueDim, layout);
    }

    private static List<Integer> list(int... values) {
        return Arrays.stream(values).boxed().toList();
    }

    public AttentionFeatures named(String newName) {
        return with(draft -> draft.name = newName);
    }

    public AttentionFeatures of(@Nullable DType newType) {
        return with(draft -> draft.type = newType);
    }

    public AttentionFeatures withSpec(AttentionSpec newSpec) {
        return with(draft -> draft.spec = newSpec);
    }

    public AttentionFeatures withBias(int axes) {
        return with(draft -> {
            draft.bias = axes;
            draft.reach = NONE;
        });
    }

    /** With a bias by relative position, and its other axes. */
    public AttentionFeatures withRelativeBias(int axes, int newReach) {
        return with(draft -> {
            draft.bias = axes;
            draft.reach = newReach;
        });
    }

    public AttentionFeatures withMask(int axes) {
        return with(draft -> draft.mask = axes);
    }

    public AttentionFeatures withSink() {
        return with(draft -> draft.sink = true);
    }

    public AttentionFeatures withAlibi() {
        return with(draft -> draft.alibi = true);
    }

    public AttentionFeatures withSegments() {
        return with(draft -> draft.segments = true);
    }

    public AttentionFeatures withLengths(int... keys) {
        return with(draft -> draft.lengths = list(keys));
    }

    /** Cumulative lengths, for queries and keys as many. */
    public AttentionFeatures withSequences(List<Integer> queries, List<Integer> keys) {
        return with(draft -> {
            draft.querySequences = queries;
            draft.keySequences = keys;
        });
    }

    /** With NaN wherever nothing looks. */
    public AttentionFeatures hidingNaN() {
        return with(draft -> draft.hides = true);
    }

    /** Extents of a bias or mask over {@code axes}. */
    public int[] extents(int axes) {
        int[] full = {shape.batch(), shape.heads(), shape.queries(), shape.keys()};
        return IntStream.range(0, 4)
                .map(axis -> (axes >> (3 - axis) & 1) == 1 ? full[axis] : 1)
                .toArray();
    }

    /** Elements of the bias. */
    public int biasSize() {
        return bias == NONE
                ? 0
                : relativePositions() * IntStream.of(extents(bias)).reduce(1, (a, b) -> a * b);
    }

    private int relativePositions() {
        return reach == NONE ? 1 : 2 * reach + 1;
    }

    /** Index of the bias for a pair of which the query sees the key. */
    public int biasAt(int b, int h, int i, int j) {
        int[] extents = extents(bias);
        int[] place = {b, h, i, j};
        int at = 0;
        for (int axis = 0; axis < 4; axis++) {
            at = at * extents[axis] + (extents[axis] == 1 ? 0 : place[axis]);
        }
        return reach == NONE
                ? at
                : at * relativePositions() + reach + Math.max(-reach, Math.min(distance(b, i, j), reach));
    }

    private int distance(int b, int i, int j) {
        int length = lengths == null ? shape.keys() : lengths.get(b);
        List<AttentionBand> bands = querySequences == null || keySequences == null
                ? List.of(AttentionBand.ofRow(spec, shape, length))
                : AttentionBand.ofSequences(
                        spec, shape, querySequences.size(), querySequences::get, keySequences::get, length);
        for (AttentionBand band : bands) {
            if (band.firstQuery() <= i && i < band.queryEnd()) {
                return (int) (j - band.position() - i);
            }
        }
        return j; // Of no sequence, and so of no consequence.
    }

    /** All differences from a plain attention, enough to repeat a failure. */
    @Override
    public String toString() {
        StringBuilder text =
                new StringBuilder(name).append(": ").append(shape).append(' ').append(spec);
        if (type != null) {
            text.append(' ').append(type);
        }
        text.append(bias == NONE ? "" : " bias" + Arrays.toString(extents(bias)));
        text.append(reach == NONE ? "" : " relative up to " + reach);
        text.append(mask == NONE ? "" : " mask" + Arrays.toString(extents(mask)));
        text.append(sink ? " sink" : "").append(alibi ? " alibi" : "").append(segments ? " segments" : "");
        text.append(lengths == null ? "" : " lengths" + lengths);
        text.append(querySequences == null ? "" : " sequences" + querySequences + keySequences);
        return text.append(hides ? " hidesNaN" : "").toString();
    }
}
